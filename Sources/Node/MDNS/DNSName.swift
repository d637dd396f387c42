import NIOCore
import Wire

/// Why a DNS packet was refused.
package enum DNSError: Error, Equatable {
    /// The packet ends inside a field.
    case truncated
    /// The packet is longer than ``Limits/mdnsPacket``.
    case tooLong
    /// A label's first byte says neither length nor pointer.
    case badLabel
    /// A name is longer than ``Limits/dnsNameWire``.
    case nameTooLong
    /// A compression pointer does not point backwards, or too many follow each other.
    case badPointer
    /// More questions and records than ``Limits/mdnsRecords``.
    case tooManyRecords(Int)
    /// A TXT record has more strings than ``Limits/mdnsStrings``.
    case tooManyStrings
    /// A record's data is not what its type says.
    case badRecord(type: UInt16)
}

/// A domain name, its ASCII letters in lower case: DNS compares without regard to them (RFC 1035 section 3.1).
package struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// The labels, each of 1 to 63 bytes, without the root.
    package let labels: [[UInt8]]

    package init(labels: [[UInt8]]) {
        self.labels = labels.map { label in label.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 } }
    }

    /// A name as people write it, a dot between labels; nil when a label or the whole is empty or too long.
    package init?(_ text: String) {
        let labels = text.utf8.split(separator: 0x2E, omittingEmptySubsequences: true).map(Array.init)
        guard !labels.isEmpty, labels.allSatisfy({ $0.count <= Limits.dnsLabel }) else { return nil }
        self.init(labels: labels)
        guard wireLength <= Limits.dnsNameWire else { return nil }
    }

    /// Bytes on the wire, uncompressed.
    package var wireLength: Int { labels.reduce(1) { $0 + 1 + $1.count } }

    /// The name with one more label in front.
    package func prefixed(by label: String) -> DNSName { DNSName(labels: [Array(label.utf8)] + labels) }

    /// The name without its first label; nil for the root.
    package var parent: DNSName? { labels.isEmpty ? nil : DNSName(labels: Array(labels.dropFirst())) }

    package var description: String {
        labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".") + "."
    }
}

extension ByteBuffer {
    /// Reads a name at the reader index, following compression pointers within `packet` (RFC 1035 section 4.1.4).
    ///
    /// Every pointer must point before the part of the name that holds it, so that no chain can loop.
    mutating func readDNSName(in packet: ByteBuffer) throws(DNSError) -> DNSName {
        var labels: [[UInt8]] = []
        var length = 1
        var pointers = 0
        var partStart = readerIndex
        var cursor = self
        while true {
            guard let head = cursor.readInteger(as: UInt8.self) else { throw .truncated }
            switch head {
            case 0:
                if pointers == 0 { self = cursor }
                return DNSName(labels: labels)
            case 1...63:
                guard let label = cursor.readBytes(length: Int(head)) else { throw .truncated }
                length += 1 + label.count
                guard length <= Limits.dnsNameWire else { throw .nameTooLong }
                labels.append(label)
            case 0xC0...0xFF:
                guard let low = cursor.readInteger(as: UInt8.self) else { throw .truncated }
                if pointers == 0 { self = cursor }
                pointers += 1
                let target = packet.readerIndex + (Int(head & 0x3F) << 8 | Int(low))
                guard pointers <= Limits.dnsPointers, target < partStart else { throw .badPointer }
                partStart = target
                cursor = packet
                cursor.moveReaderIndex(to: target)
            default: throw .badLabel
            }
        }
    }

    /// Writes a name without compression.
    mutating func writeDNSName(_ name: DNSName) {
        for label in name.labels {
            writeInteger(UInt8(truncatingIfNeeded: label.count))
            writeBytes(label)
        }
        writeInteger(UInt8(0))
    }
}
