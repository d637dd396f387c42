import WebRTC
import Wire

/// Why something of a ``WebRTCPeer`` failed.
public struct WebRTCError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: String, Hashable, Sendable {
        /// Asked for at the wrong time: an answer before the offer, or anything twice.
        case wrongState
        /// A text of the other end that is no session description, or none we can use.
        case invalidDescription
        /// A candidate line that is none.
        case invalidCandidate
        /// An option or an address out of range.
        case invalidArgument
        /// The system refused: no address, no port, no descriptor left.
        case system
        /// No path to the remote was found, or it died.
        case noPath
        /// DTLS failed: the handshake, or an alert.
        case dtls
        /// The remote has another certificate than its description said.
        case wrongFingerprint
        /// SCTP failed.
        case sctp
        /// The connection was closed, by either end.
        case closed
        /// The channel was closed, by either end.
        case channelClosed
        /// The remote takes no messages of that size.
        case tooLarge
        /// The channel never splits messages, and this one does not fit one datagram.
        case tooLargeForDatagram
        /// Too much waits in the channel already.
        case bufferFull
        /// As many channels are open as may be.
        case tooManyChannels
        /// Nobody read what arrived, for too long.
        case notRead
        /// The task that waited was cancelled.
        case cancelled
    }

    /// What kind of failure it is.
    public let code: Code
    /// In words, for people.
    public let message: String

    init(_ code: Code, _ message: String) {
        (self.code, self.message) = (code, message)
    }

    /// The message.
    public var description: String { message }

    static let closed = WebRTCError(.closed, "the connection is closed")
    static let channelClosed = WebRTCError(.channelClosed, "the channel is closed")
    static let cancelled = WebRTCError(.cancelled, "the task was cancelled")

    init(_ error: DataChannelError) {
        switch error {
        case .closed: self = .channelClosed
        case .tooLarge(let limit): self.init(.tooLarge, "the remote takes messages of \(limit) bytes at most")
        case .tooLargeForDatagram(let limit):
            self.init(
                .tooLargeForDatagram, "one datagram carries \(limit) bytes at most, and this channel never splits")
        case .bufferFull: self.init(.bufferFull, "too much waits in the channel already")
        case .tooManyChannels: self.init(.tooManyChannels, "as many channels are open as may be")
        case .invalidOptions:
            self.init(.invalidArgument, "the channel's id is taken or out of range, or a text too long")
        }
    }

    init(_ error: PeerConnectionError) {
        switch error {
        case .noPath: self.init(.noPath, "no path to the remote was found")
        case .pathLost: self.init(.noPath, "the remote is no longer heard")
        case .dtls(let error): self.init(.dtls, "DTLS: \(error.message)")
        case .wrongFingerprint(let found):
            self.init(.wrongFingerprint, "the remote has another certificate than it said: \(found)")
        case .sctp(let error): self.init(.sctp, "SCTP: \(error.message)")
        case .sctpTimeout: self.init(.sctp, "SCTP: no answer within \(Limits.sctpConnectTimeout)")
        }
    }
}
