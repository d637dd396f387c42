import DequeModule
package import NIOCore
import Wire

/// Finding a way into the network at start: one source of peers after another, and a word to the user about each that
/// leads nowhere.
///
///     given ─▶ remembered ─▶ localNetwork ─▶ lists ─▶ over
///
/// A step that has nothing is passed over. The next begins when the one before came to nothing, when
/// ``Limits/bootstrapStep`` went by, or at once when there is a connection; then peers of last time, which nobody asked
/// for by name, are left in peace. Steps that began go on beside the later ones: what was given is dialled until it
/// answers, by the dialer.
///
/// Does not dial or resolve itself: it says what to begin and hears how it went.
package struct Bootstrap: Machine {
    /// A source of peers, in the order of asking.
    package enum Step: Int, CaseIterable, Sendable {
        /// The addresses the user gave.
        case given
        /// The peers connected when the program last ran.
        case remembered
        /// mDNS.
        case localNetwork
        /// The names of lists of addresses, `/dnsaddr`, that the user gave.
        case lists
    }
    package enum Input {
        /// There is a connection.
        case connected
        /// A step came to nothing, and why, in plain words.
        case failed(Step, String)
        /// The deadline came.
        case tick
    }
    package enum Output: Equatable {
        /// Ask this source now.
        case begin(Step)
        /// Tell the user.
        case tell(String)
    }

    private enum State {
        case waiting(Step, until: NIODeadline)
        case over
    }
    private var state = State.over
    private var rest: Deque<Step>
    private var isConnected = false
    private var failed: Set<Step> = []
    private var outputs: Deque<Output> = []

    /// A machine for these sources, whose first step begins now.
    package init(_ steps: [Step], now: NIODeadline) {
        rest = Deque(Step.allCases.filter(steps.contains))
        advance(now: now)
    }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package var deadline: NIODeadline {
        if case .waiting(_, let until) = state { until } else { .distantFuture }
    }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .connected:
            guard !isConnected else { return }
            isConnected = true
            rest.removeAll { $0 == .remembered }
            advance(now: now)
        case .failed(let step, let reason):
            // Once is enough: the dialer goes on and tells about every further attempt.
            guard !isConnected, failed.insert(step).inserted else { return }
            outputs.append(.tell("\(step.words): \(reason)"))
            if case .waiting(step, _) = state { advance(now: now) }
        case .tick:
            guard case .waiting(let step, let until) = state, until <= now else { return }
            if !isConnected, step == .localNetwork, failed.insert(step).inserted {
                outputs.append(.tell("\(step.words): nobody answered"))
            }
            advance(now: now)
        }
    }

    private mutating func advance(now: NIODeadline) {
        while let step = rest.popFirst() {
            outputs.append(.begin(step))
            guard isConnected else {
                state = .waiting(step, until: now + Limits.bootstrapStep)
                return
            }
        }
        if case .waiting = state, !isConnected {
            outputs.append(.tell("no way into the network was found yet; others can still reach this peer"))
        }
        state = .over
    }
}

extension Bootstrap.Step {
    /// The source, for a person.
    var words: String {
        switch self {
        case .given: "the peers you named"
        case .remembered: "the peers of last time"
        case .localNetwork: "the local network"
        case .lists: "the names you gave"
        }
    }
}
