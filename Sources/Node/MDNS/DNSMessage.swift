package import NIOCore
import Wire

/// A DNS packet, as far as service discovery needs it (RFC 1035, RFC 6762, RFC 6763).
///
/// Reads any packet with name compression; writes without. The authority section is read past.
package struct DNSMessage: Equatable {
    /// The numbers of the record types that matter here.
    package enum Kind {
        package static let a: UInt16 = 1
        package static let ptr: UInt16 = 12
        package static let txt: UInt16 = 16
        package static let aaaa: UInt16 = 28
        package static let srv: UInt16 = 33
        package static let any: UInt16 = 255
    }
    /// What somebody wants to know.
    package struct Question: Equatable {
        package let name: DNSName
        package let type: UInt16
        package init(_ name: DNSName, type: UInt16) {
            self.name = name
            self.type = type
        }
    }
    /// What somebody says.
    package struct Record: Equatable {
        package let name: DNSName
        /// Seconds that it may be believed; zero takes it back.
        package let timeToLive: UInt32
        /// Whether it replaces what was known under the name (RFC 6762 section 10.2).
        package let flush: Bool
        package let data: RecordData
        package init(_ name: DNSName, timeToLive: UInt32, flush: Bool = false, data: RecordData) {
            self.name = name
            self.timeToLive = timeToLive
            self.flush = flush
            self.data = data
        }
    }
    /// A record's type and what it holds.
    package enum RecordData: Equatable {
        /// Four bytes.
        case a([UInt8])
        /// Sixteen bytes.
        case aaaa([UInt8])
        case ptr(DNSName)
        /// Strings of at most 255 bytes.
        case txt([[UInt8]])
        case srv(port: UInt16, target: DNSName)
        /// A type that does not matter here.
        case other(UInt16)
    }

    /// Whether it answers; otherwise it asks.
    package var isResponse: Bool
    package var questions: [Question]
    package var answers: [Record]
    package var additionals: [Record]

    package init(
        isResponse: Bool, questions: [Question] = [], answers: [Record] = [], additionals: [Record] = []
    ) {
        self.isResponse = isResponse
        self.questions = questions
        self.answers = answers
        self.additionals = additionals
    }
}

extension DNSMessage {
    /// Reads a packet; bytes after its last record are ignored, as resolvers do.
    package init(_ packet: ByteBuffer) throws(DNSError) {
        guard packet.readableBytes <= Limits.mdnsPacket else { throw .tooLong }
        var cursor = packet
        guard
            let (_, flags, asked, answered, authorities, added) = cursor.readMultipleIntegers(
                as: (UInt16, UInt16, UInt16, UInt16, UInt16, UInt16).self)
        else { throw .truncated }
        let total = Int(asked) + Int(answered) + Int(authorities) + Int(added)
        guard total <= Limits.mdnsRecords else { throw .tooManyRecords(total) }
        self.init(isResponse: flags & 0x8000 != 0)
        for _ in 0..<asked { questions.append(try Self.question(&cursor, packet)) }
        for _ in 0..<answered { answers.append(try Self.record(&cursor, packet)) }
        for _ in 0..<authorities { _ = try Self.record(&cursor, packet) }
        for _ in 0..<added { additionals.append(try Self.record(&cursor, packet)) }
    }

    private static func question(_ cursor: inout ByteBuffer, _ packet: ByteBuffer) throws(DNSError) -> Question {
        let name = try cursor.readDNSName(in: packet)
        guard let (type, _) = cursor.readMultipleIntegers(as: (UInt16, UInt16).self) else { throw .truncated }
        return Question(name, type: type)
    }

    private static func record(_ cursor: inout ByteBuffer, _ packet: ByteBuffer) throws(DNSError) -> Record {
        let name = try cursor.readDNSName(in: packet)
        guard
            let (type, kind, timeToLive, length) = cursor.readMultipleIntegers(
                as: (UInt16, UInt16, UInt32, UInt16).self),
            var data = cursor.readSlice(length: Int(length))
        else { throw .truncated }
        let start = cursor.readerIndex - Int(length)
        return Record(
            name, timeToLive: timeToLive, flush: kind & 0x8000 != 0,
            data: try recordData(type, &data, at: start, packet))
    }

    private static func recordData(
        _ type: UInt16, _ data: inout ByteBuffer, at start: Int, _ packet: ByteBuffer
    ) throws(DNSError) -> RecordData {
        switch type {
        case Kind.a, Kind.aaaa:
            let bytes = Array(data.readableBytesView)
            guard bytes.count == (type == Kind.a ? 4 : 16) else { throw .badRecord(type: type) }
            return type == Kind.a ? .a(bytes) : .aaaa(bytes)
        case Kind.ptr:
            return .ptr(try wholeName(type, data, at: start, packet))
        case Kind.srv:
            guard let (_, _, port) = data.readMultipleIntegers(as: (UInt16, UInt16, UInt16).self) else {
                throw .badRecord(type: type)
            }
            return .srv(port: port, target: try wholeName(type, data, at: start + 6, packet))
        case Kind.txt:
            var strings: [[UInt8]] = []
            while let length = data.readInteger(as: UInt8.self) {
                guard let string = data.readBytes(length: Int(length)) else { throw .badRecord(type: type) }
                guard strings.count < Limits.mdnsStrings else { throw .tooManyStrings }
                strings.append(string)
            }
            return .txt(strings)
        default: return .other(type)
        }
    }

    /// A name that is the whole rest of a record's data; its pointers count from the packet's beginning.
    private static func wholeName(
        _ type: UInt16, _ data: ByteBuffer, at start: Int, _ packet: ByteBuffer
    ) throws(DNSError) -> DNSName {
        guard
            var cursor = packet.getSlice(
                at: packet.readerIndex, length: start - packet.readerIndex + data.readableBytes)
        else { throw .truncated }
        let whole = cursor
        cursor.moveReaderIndex(forwardBy: start - packet.readerIndex)
        let name = try cursor.readDNSName(in: whole)
        guard cursor.readableBytes == 0 else { throw .badRecord(type: type) }
        return name
    }
}

extension DNSMessage {
    /// The packet; identifier zero, as multicast wants (RFC 6762 section 18.1).
    package var packet: ByteBuffer {
        var buffer = ByteBuffer()
        let flags: UInt16 = isResponse ? 0x8400 : 0
        buffer.writeMultipleIntegers(
            UInt16(0), flags, UInt16(truncatingIfNeeded: questions.count), UInt16(truncatingIfNeeded: answers.count),
            UInt16(0), UInt16(truncatingIfNeeded: additionals.count))
        for question in questions {
            buffer.writeDNSName(question.name)
            buffer.writeMultipleIntegers(question.type, UInt16(1))
        }
        for record in answers + additionals { record.write(to: &buffer) }
        return buffer
    }
}

extension DNSMessage.Record {
    fileprivate func write(to buffer: inout ByteBuffer) {
        var body = ByteBuffer()
        let type: UInt16
        switch data {
        case .a(let bytes):
            type = DNSMessage.Kind.a
            body.writeBytes(bytes)
        case .aaaa(let bytes):
            type = DNSMessage.Kind.aaaa
            body.writeBytes(bytes)
        case .ptr(let name):
            type = DNSMessage.Kind.ptr
            body.writeDNSName(name)
        case .srv(let port, let target):
            type = DNSMessage.Kind.srv
            body.writeMultipleIntegers(UInt16(0), UInt16(0), port)
            body.writeDNSName(target)
        case .txt(let strings):
            type = DNSMessage.Kind.txt
            for string in strings {
                body.writeInteger(UInt8(truncatingIfNeeded: min(255, string.count)))
                body.writeBytes(string.prefix(255))
            }
        case .other(let other):
            type = other
        }
        buffer.writeDNSName(name)
        buffer.writeMultipleIntegers(
            type, flush ? UInt16(0x8001) : UInt16(1), timeToLive, UInt16(truncatingIfNeeded: body.readableBytes))
        buffer.writeBuffer(&body)
    }
}
