package import NIOCore
import Wire

/// Finds the messages in a TCP stream from a TURN server (RFC 8656 §2.1, §12.5): STUN messages and ChannelData one
/// behind the other, each telling its own length.
///
///     reading ──a first byte that begins neither, or a length above the limit──▶ broken
///
/// Limits: `Limits.turnFrame` per message; it keeps nothing itself.
package struct TURNFraming {
    package enum Action: Hashable, Sendable {
        /// More bytes must come.
        case none
        /// A STUN message, or ChannelData with its padding.
        case frame(ByteBuffer)
        /// The stream is not TURN's, and of no use any more.
        case broken
    }

    private enum State { case reading, broken }
    private var state = State.reading

    package init() {}

    /// Takes the next message from `inbox`, if it is all there. To be called until it says `none`.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        guard case .reading = state else { return .broken }
        let start = inbox.readerIndex
        guard let (first, length) = inbox.getMultipleIntegers(at: start, as: (UInt16, UInt16).self) else {
            return .none
        }
        let count: Int
        switch first >> 14 {
        case 0: count = STUNMessage.headerLength + Int(length)
        case 1: count = 4 + (Int(length) + 3) & ~3
        default:
            state = .broken
            return .broken
        }
        guard count <= Limits.turnFrame, count % 4 == 0 else {
            state = .broken
            return .broken
        }
        guard let frame = inbox.readSlice(length: count) else { return .none }
        return .frame(frame)
    }
}
