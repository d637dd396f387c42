import ICE
import NIOCore
import Wire

/// The agent that finds the path, full or lite.
enum PathAgent {
    case full(ICEAgent)
    case lite(ICELiteAgent)

    func handle(_ input: consuming ICEInput, now: NIODeadline) {
        switch self {
        case .full(let agent): agent.handle(input, now: now)
        case .lite(let agent): agent.handle(input, now: now)
        }
    }

    func poll() -> ICEOutput? {
        switch self {
        case .full(let agent): agent.poll()
        case .lite(let agent): agent.poll()
        }
    }

    var deadline: NIODeadline {
        switch self {
        case .full(let agent): agent.deadline
        case .lite(let agent): agent.deadline
        }
    }

    var statistics: ICEStatistics {
        switch self {
        case .full(let agent): agent.statistics
        case .lite(let agent): agent.statistics
        }
    }
}
