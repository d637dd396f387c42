public import NIOCore

/// How hard a data channel tries to deliver (RFC 8831 §6.1, `RTCDataChannelInit`).
public enum DataChannelReliability: Hashable, Sendable {
    /// Until it arrives.
    case reliable
    /// A message is given up after so many retransmissions; 0: sent once.
    case maxRetransmits(UInt16)
    /// A message is given up after so many milliseconds.
    case maxPacketLifeTime(UInt16)

    var sctp: Reliability {
        switch self {
        case .reliable: .reliable
        case .maxRetransmits(let count): .maxRetransmits(count)
        case .maxPacketLifeTime(let milliseconds): .maxLifetime(milliseconds)
        }
    }
}

/// What a data channel is to be (`RTCDataChannelInit` of the W3C).
public struct DataChannelOptions: Hashable, Sendable {
    /// A name for people; not unique. At most 65,535 bytes of UTF-8.
    public var label: String
    /// The subprotocol, registered or agreed on. At most 65,535 bytes of UTF-8.
    public var subprotocol: String
    /// Whether messages arrive in the order they were sent.
    public var isOrdered: Bool
    /// How hard it tries.
    public var reliability: DataChannelReliability
    /// The stream both ends agreed on by other means: no message announces the channel then. Nil: announced in band.
    public var negotiatedID: UInt16?
    /// Whether a message must fit one datagram, so that it is lost or arrives as one. True by default for channels
    /// that never retransmit: one lost piece would cost the whole.
    public var requiresSingleDatagram: Bool
    /// 0…65,535; told to the remote, of no effect here (RFC 8831 §6.4).
    public var priority: UInt16 = 0

    /// An ordered, reliable channel, unless said otherwise.
    public init(
        label: String = "", subprotocol: String = "", isOrdered: Bool = true,
        reliability: DataChannelReliability = .reliable, negotiatedID: UInt16? = nil
    ) {
        (self.label, self.subprotocol, self.isOrdered) = (label, subprotocol, isOrdered)
        (self.reliability, self.negotiatedID) = (reliability, negotiatedID)
        requiresSingleDatagram = reliability == .maxRetransmits(0)
    }
}

/// One message of a data channel, whole.
public enum DataChannelMessage: Hashable, Sendable {
    /// UTF-8; a remote may send other bytes as text all the same.
    case text(ByteBuffer)
    case binary(ByteBuffer)

    /// The payload; may be empty.
    public var bytes: ByteBuffer {
        switch self {
        case .text(let bytes), .binary(let bytes): bytes
        }
    }
}

/// Names a channel for the lifetime of its connection; never used twice.
public struct DataChannelID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Counted from 1.
    package let number: UInt32

    package init(_ number: UInt32) { self.number = number }

    /// The number.
    public var description: String { "\(number)" }

    /// Older channels are less.
    public static func < (left: DataChannelID, right: DataChannelID) -> Bool { left.number < right.number }
}

/// A channel that is open.
public struct DataChannelInfo: Hashable, Sendable {
    /// What it is.
    public let options: DataChannelOptions
    /// Its SCTP stream.
    public let stream: UInt16
    /// Whether the remote opened it.
    public let isRemote: Bool
}

/// Why a channel could not be opened, or a message not be sent. Nothing was taken then.
public enum DataChannelError: Error, Hashable, Sendable {
    /// No such channel, or no more.
    case closed
    /// The remote takes messages of so many bytes at most.
    case tooLarge(limit: Int)
    /// The channel promises messages of one datagram, which carries so many bytes.
    case tooLargeForDatagram(limit: Int)
    /// So many bytes wait in the channel already: see the low-water event.
    case bufferFull
    /// As many channels are open as may be.
    case tooManyChannels
    /// The negotiated id is in use or out of range, or a text is too long.
    case invalidOptions
}
