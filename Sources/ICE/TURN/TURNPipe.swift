package import NIOCore
package import Wire

/// A TCP connection to a TURN server, which the owner of the machines makes.
package enum TURNPipe {
    /// Names one, within one peer connection.
    package typealias ID = Int

    /// What is to be done with it.
    package enum Command: Hashable, Sendable {
        case connect(to: TransportAddress)
        /// Whole messages. When the pipe is full, those that ``canBeDropped(_:)`` may be: they carry datagrams.
        case send(ByteBuffer)
        case close
    }

    /// What happened to it.
    package enum Event: Hashable, Sendable {
        case connected
        case received(ByteBuffer)
        /// It could not be made, or it ended. The last event.
        case closed
    }

    /// Whether a frame carries a peer's datagram, which nobody relies on, and not a request to the server.
    package static func canBeDropped(_ frame: ByteBuffer) -> Bool {
        guard let type = frame.getInteger(at: frame.readerIndex, as: UInt16.self) else { return true }
        return type >> 14 == 1 || type == STUNMessage.Class.indication.rawValue | STUNMessage.Method.send.rawValue
    }
}
