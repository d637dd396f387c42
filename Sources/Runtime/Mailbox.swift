import DequeModule
import Glibc
public import Node
import Synchronization

/// The one way from the network to its reader: a bounded queue and a file descriptor that says when to look.
///
/// The network never waits for the reader. When the reader falls behind by ``capacity`` events, everything that a
/// snapshot can replace is dropped, later such events too, and one ``PeerEvent/resync`` stands in their place;
/// messages stay until they alone fill the queue, then the newest are dropped, counted, and the reader is told.
/// The only lock of the program is in here; both sides hold it for a queue operation.
public final class Mailbox: Sendable {
    /// How many events wait at most.
    public let capacity: Int
    /// Readable, as `poll(2)` says it, whenever events wait. ``drain()`` empties it.
    public let wakeDescriptor: CInt
    private let writeDescriptor: CInt
    private let state: Mutex<State>

    private struct State {
        var events: Deque<PeerEvent> = []
        var needsResync = false
        var lostMessages = 0
        var isAwake = false
    }

    /// A mailbox of so many events; fails when the process has no file descriptors left.
    public init(capacity: Int = 8192) throws(PeerError) {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { throw PeerError(.system, "no file descriptor is left for the mailbox") }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        (wakeDescriptor, writeDescriptor) = (ends[0], ends[1])
        self.capacity = capacity
        state = Mutex(State())
    }

    deinit {
        close(wakeDescriptor)
        close(writeDescriptor)
    }

    /// Adds one event without ever waiting.
    package func post(_ event: PeerEvent) {
        let wakes = state.withLock { state in
            if state.events.count >= capacity {
                state.events.removeAll { !$0.isMessage }
                state.needsResync = true
            }
            if event.isMessage, state.events.count >= capacity {
                state.lostMessages += 1
            } else if event.isMessage || !state.needsResync {
                state.events.append(event)
            }
            defer { state.isAwake = true }
            return !state.isAwake
        }
        if wakes { wake() }
    }

    /// All waiting events, oldest first.
    public func drain() -> [PeerEvent] {
        state.withLock { state in
            if state.isAwake {
                var byte: UInt8 = 0
                while read(wakeDescriptor, &byte, 1) > 0 {}
                state.isAwake = false
            }
            var events = Array(state.events)
            if state.lostMessages > 0 {
                events.append(.log(.warning, "\(state.lostMessages) messages were lost: the reader was too slow"))
            }
            if state.needsResync { events.append(.resync) }
            state.events.removeAll(keepingCapacity: true)
            (state.needsResync, state.lostMessages) = (false, 0)
            return events
        }
    }

    /// One byte is enough however many events wait; a full pipe is readable already.
    private func wake() {
        var byte: UInt8 = 1
        _ = write(writeDescriptor, &byte, 1)
    }
}

extension PeerEvent {
    /// Messages are the events that no snapshot can bring back.
    fileprivate var isMessage: Bool {
        if case .message = self { true } else { false }
    }
}
