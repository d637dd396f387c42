import NIOCore
import WebRTC

/// What ``PlainSCTP`` puts on the wire: one byte of kind, then big-endian fields.
enum PlainPacket {
    /// A piece of a message.
    struct Chunk {
        let tsn: UInt32
        let stream: UInt16
        /// Which message of the stream, counted from 0 since its last reset; 0 when unordered.
        let number: UInt32
        let isUnordered: Bool
        let isFirst: Bool
        let isLast: Bool
        let payloadProtocol: PayloadProtocol
        let bytes: ByteBuffer

        /// Whether both belong to one ordered message, or to one run of chunks of an unordered one.
        func isOfMessage(of other: Chunk) -> Bool {
            stream == other.stream && isUnordered == other.isUnordered
                && (isUnordered ? tsn == other.tsn : number == other.number)
        }
    }

    case initiate
    case initiateAcknowledged
    case data(Chunk)
    case acknowledge(UInt32, others: [UInt32])
    case forward(UInt32, [(stream: UInt16, number: UInt32)])
    case reset(UInt32, [UInt16], after: UInt32)
    case resetDone(UInt32)
    case addStreams(UInt16)
    case streamsAdded(UInt16)
    case abort

    /// Bytes of a chunk besides its payload.
    static let overhead = 16

    init?(reading packet: ByteBuffer) {
        var packet = packet
        guard let kind = packet.readInteger(as: UInt8.self) else { return nil }
        switch kind {
        case 0: self = .initiate
        case 1: self = .initiateAcknowledged
        case 2:
            guard
                let (tsn, stream, number, flags, identifier) = packet.readMultipleIntegers(
                    as: (UInt32, UInt16, UInt32, UInt8, UInt32).self)
            else { return nil }
            self = .data(
                Chunk(
                    tsn: tsn, stream: stream, number: number, isUnordered: flags & 4 != 0, isFirst: flags & 2 != 0,
                    isLast: flags & 1 != 0, payloadProtocol: PayloadProtocol(rawValue: identifier), bytes: packet))
        case 3:
            guard let cumulative = packet.readInteger(as: UInt32.self) else { return nil }
            var others: [UInt32] = []
            while let tsn = packet.readInteger(as: UInt32.self) { others.append(tsn) }
            self = .acknowledge(cumulative, others: others)
        case 4:
            guard let cumulative = packet.readInteger(as: UInt32.self) else { return nil }
            var skipped: [(stream: UInt16, number: UInt32)] = []
            while let (stream, number) = packet.readMultipleIntegers(as: (UInt16, UInt32).self) {
                skipped.append((stream, number))
            }
            self = .forward(cumulative, skipped)
        case 5:
            guard let (number, after) = packet.readMultipleIntegers(as: (UInt32, UInt32).self) else { return nil }
            var streams: [UInt16] = []
            while let stream = packet.readInteger(as: UInt16.self) { streams.append(stream) }
            self = .reset(number, streams, after: after)
        case 6:
            guard let number = packet.readInteger(as: UInt32.self) else { return nil }
            self = .resetDone(number)
        case 7, 8:
            guard let count = packet.readInteger(as: UInt16.self) else { return nil }
            self = kind == 7 ? .addStreams(count) : .streamsAdded(count)
        case 9: self = .abort
        default: return nil
        }
    }

    var encoded: ByteBuffer {
        var packet = ByteBuffer()
        switch self {
        case .initiate: packet.writeInteger(0 as UInt8)
        case .initiateAcknowledged: packet.writeInteger(1 as UInt8)
        case .data(let chunk):
            packet.reserveCapacity(Self.overhead + chunk.bytes.readableBytes)
            let flags: UInt8 = (chunk.isUnordered ? 4 : 0) | (chunk.isFirst ? 2 : 0) | (chunk.isLast ? 1 : 0)
            packet.writeMultipleIntegers(
                2 as UInt8, chunk.tsn, chunk.stream, chunk.number, flags, chunk.payloadProtocol.rawValue)
            packet.writeImmutableBuffer(chunk.bytes)
        case .acknowledge(let cumulative, let others):
            packet.writeMultipleIntegers(3 as UInt8, cumulative)
            for tsn in others { packet.writeInteger(tsn) }
        case .forward(let cumulative, let skipped):
            packet.writeMultipleIntegers(4 as UInt8, cumulative)
            for (stream, number) in skipped { packet.writeMultipleIntegers(stream, number) }
        case .reset(let number, let streams, let after):
            packet.writeMultipleIntegers(5 as UInt8, number, after)
            for stream in streams { packet.writeInteger(stream) }
        case .resetDone(let number): packet.writeMultipleIntegers(6 as UInt8, number)
        case .addStreams(let count): packet.writeMultipleIntegers(7 as UInt8, count)
        case .streamsAdded(let count): packet.writeMultipleIntegers(8 as UInt8, count)
        case .abort: packet.writeInteger(9 as UInt8)
        }
        return packet
    }
}
