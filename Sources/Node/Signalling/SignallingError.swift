package import WebRTC
package import Wire

/// Why signalling failed, in words for people; each resets the stream.
package enum SignallingError: Error, Equatable, CustomStringConvertible {
    /// What came is no message, or longer than `Limits.signallingMessage`.
    case framing(FramingError)
    case malformed(ProtobufError)
    /// Another message than the one whose turn it was.
    case unexpected(SignallingMessage.Kind)
    case description(SessionDescriptionError)
    /// More than `Limits.signallingCandidates`.
    case tooManyCandidates
    /// More than `Limits.signallingUnknown` of kinds nobody knows.
    case tooManyMessages
    case timedOut
    /// The stream ended before the connection stood.
    case closed

    package var description: String {
        switch self {
        case .framing(.tooLong): "the other side sent a signalling message that is too long"
        case .framing, .malformed: "the other side broke the signalling protocol"
        case .unexpected: "the other side sent a signalling message out of turn"
        case .description(let error): "\(error)"
        case .tooManyCandidates: "the other side named too many candidates"
        case .tooManyMessages: "the other side sent too many signalling messages"
        case .timedOut: "no direct connection within the time limit"
        case .closed: "the other side ended the signalling"
        }
    }
}
