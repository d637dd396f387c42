package import NIOCore
import Wire

/// A message of the Data Channel Establishment Protocol (RFC 8832 §5): a channel is announced on its own stream, and
/// acknowledged there.
package enum DCEPMessage: Hashable, Sendable {
    /// Announces a channel.
    case open(DataChannelOptions)
    /// Acknowledges the announcement. pion sends three bytes behind it, which are ignored.
    case acknowledge

    /// Why bytes are no such message.
    package enum Failure: Error, Hashable, Sendable {
        case truncated
        case tooLong
        case unknownType(UInt8)
        case unknownChannelType(UInt8)
    }

    /// Reads a message, which must be all there is.
    package init(parsing message: ByteBuffer) throws(Failure) {
        var message = message
        guard let type = message.readInteger(as: UInt8.self) else { throw .truncated }
        switch type {
        case 0x02: self = .acknowledge
        case 0x03: self = .open(try Self.options(&message))
        default: throw .unknownType(type)
        }
    }

    private static func options(_ message: inout ByteBuffer) throws(Failure) -> DataChannelOptions {
        guard message.readableBytes <= Limits.dcepMessage else { throw .tooLong }
        guard
            let (type, priority, parameter, labelLength, protocolLength) = message.readMultipleIntegers(
                as: (UInt8, UInt16, UInt32, UInt16, UInt16).self),
            message.readableBytes == Int(labelLength) + Int(protocolLength),
            let label = message.readSlice(length: Int(labelLength)),
            let name = message.readSlice(length: Int(protocolLength))
        else { throw .truncated }
        // Values beyond what the API of browsers can say mean as much as its largest.
        let bounded = UInt16(clamping: parameter)
        let reliability: DataChannelReliability =
            switch type & 0x7F {
            case 0: .reliable
            case 1: .maxRetransmits(bounded)
            case 2: .maxPacketLifeTime(bounded)
            default: throw .unknownChannelType(type)
            }
        var options = DataChannelOptions(
            label: String(buffer: label), subprotocol: String(buffer: name), isOrdered: type & 0x80 == 0,
            reliability: reliability)
        options.priority = priority
        return options
    }

    /// The bytes of the message.
    package var encoded: ByteBuffer {
        var message = ByteBuffer()
        guard case .open(let options) = self else {
            message.writeInteger(0x02 as UInt8)
            return message
        }
        let (type, parameter): (UInt8, UInt32) =
            switch options.reliability {
            case .reliable: (0, 0)
            case .maxRetransmits(let count): (1, UInt32(count))
            case .maxPacketLifeTime(let milliseconds): (2, UInt32(milliseconds))
            }
        let label = ByteBuffer(string: options.label)
        let name = ByteBuffer(string: options.subprotocol)
        message.writeMultipleIntegers(
            0x03 as UInt8, type | (options.isOrdered ? 0 : 0x80), options.priority, parameter,
            UInt16(clamping: label.readableBytes), UInt16(clamping: name.readableBytes))
        message.writeImmutableBuffer(label)
        message.writeImmutableBuffer(name)
        return message
    }
}
