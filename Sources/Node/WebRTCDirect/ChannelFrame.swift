package import NIOCore
package import Wire

/// Why what arrived on a data channel is no frame.
package enum ChannelFrameError: Error, Equatable {
    /// The length is no varint, or above `Limits.channelFrameReceived`.
    case length(FramingError)
    /// The message is not protobuf.
    case message(ProtobufError)
}

/// One frame of a libp2p stream over a data channel: data, a flag, or both (libp2p/specs webrtc/README.md,
/// `Message { optional Flag flag = 1; optional bytes message = 2; optional uint32 errorCode = 3; }`).
///
/// On the wire a frame stands behind its length as a varint. Frames and SCTP messages do not coincide in what others
/// send (go-libp2p sends the length by itself); ours are one message each.
package struct ChannelFrame: Hashable, Sendable {
    /// What a frame says beyond its data. Values that are not listed are ignored.
    package enum Flag: UInt8, Sendable, CaseIterable {
        /// The sender writes no more.
        case fin = 0
        /// The sender reads no more.
        case stopSending = 1
        /// Both are over, and data may be lost.
        case reset = 2
        /// The FIN has arrived.
        case finAck = 3
    }

    /// Empty when there is none.
    package var data: ByteBuffer
    package var flag: Flag?

    package init(data: ByteBuffer = ByteBuffer(), flag: Flag? = nil) {
        (self.data, self.flag) = (data, flag)
    }

    /// Reads a message without its length. The data is a slice of `message`. Of a repeated field the last counts.
    package init(message: ByteBuffer) throws(ChannelFrameError) {
        self.init()
        var reader = ProtobufReader(message)
        do throws(ProtobufError) {
            while let field = try reader.next() {
                switch field.number {
                case 1: flag = Flag(rawValue: UInt8(clamping: try field.varint))
                case 2: data = try field.bytes
                default: break
                }
            }
        } catch { throw .message(error) }
    }

    /// The frame with its length. At most `Limits.channelFrameData` bytes of data keep it within
    /// `Limits.channelFrameSent`. FIN is written although it is zero: an absent flag is none.
    package var encoded: ByteBuffer {
        let count = data.readableBytes
        let dataLength = count == 0 ? 0 : 1 + uvarintLength(UInt64(count)) + count
        let length = dataLength + (flag == nil ? 0 : 2)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(length + uvarintLength(UInt64(length)))
        buffer.writeUVarint(UInt64(length))
        if let flag { buffer.writeProtobuf(field: 1, varint: UInt64(flag.rawValue)) }
        if count > 0 { buffer.writeProtobuf(field: 2, bytes: data) }
        return buffer
    }
}

/// Cuts the messages of one data channel into frames, wherever the channel's messages begin and end.
///
/// Limits: `Limits.channelFrameReceived` per frame, refused as soon as its length is there; nothing is allocated for
/// bytes that did not arrive. After an error it must not be asked again.
package struct ChannelFrameDecoder {
    private var inbox = ByteBuffer()

    package init() {}

    /// Bytes of an unfinished frame.
    package var heldBytes: Int { inbox.readableBytes }

    /// Takes one message of the channel.
    package mutating func append(_ message: ByteBuffer) {
        if inbox.readableBytes == 0 { inbox = message } else { inbox.writeImmutableBuffer(message) }
    }

    /// The next frame; nil when more bytes are needed.
    package mutating func next() throws(ChannelFrameError) -> ChannelFrame? {
        let message: ByteBuffer?
        do { message = try inbox.readFrame(limit: Limits.channelFrameReceived) } catch { throw .length(error) }
        guard let message else {
            // A rest of a few bytes must not hold the memory of the whole message it came in.
            if inbox.readableBytes < inbox.storageCapacity / 4 { inbox = ByteBuffer(bytes: inbox.readableBytesView) }
            return nil
        }
        return try ChannelFrame(message: message)
    }
}
