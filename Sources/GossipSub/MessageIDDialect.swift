import Crypto
package import NIOCore
package import Wire

/// Which function a peer names messages by. Ids stand only in IHAVE and IWANT, so a peer that is spoken to in another
/// dialect asks for what it has; js-libp2p moreover holds it against us.
package enum MessageIDDialect: Sendable, CaseIterable {
    /// author ‖ sequence number: go-libp2p, py-libp2p, and everyone unknown.
    case fromSequence
    /// SHA-256 of the decimal sequence number: universal-connectivity's browser and node peers.
    case sha256OfSequence
    /// Decimal SipHash-1-3 of the data: universal-connectivity's rust-peer.
    case sipHashOfData
    /// Hex sequence number ‖ base 58 author: nim-libp2p.
    case hexSequenceFrom

    /// The dialect of a peer by the agent its identify message names.
    package init(agent: String) {
        if agent.hasPrefix("js-libp2p") {
            self = .sha256OfSequence
        } else if agent == "universal-connectivity/0.1.0" || agent.hasPrefix("rust-libp2p") {
            self = .sipHashOfData
        } else if agent.hasPrefix("nim-libp2p") {
            self = .hexSequenceFrom
        } else {
            self = .fromSequence
        }
    }

    /// The id of a message in this dialect.
    package func id(from: PeerID, sequenceNumber: UInt64, data: ByteBuffer) -> MessageID {
        switch self {
        case .fromSequence:
            return MessageID(from: from, sequenceNumber: sequenceNumber)
        case .sha256OfSequence:
            return MessageID(bytes: Array(SHA256.hash(data: Array(String(sequenceNumber).utf8))))
        case .sipHashOfData:
            return MessageID(bytes: String(SipHash13.ofSlice(data)).utf8)
        case .hexSequenceFrom:
            let hex = String(sequenceNumber, radix: 16)
            let zeros = repeatElement("0", count: 16 - hex.utf8.count).joined()
            return MessageID(bytes: (zeros + hex + from.description).utf8)
        }
    }
}

/// What an id that a remote wrote can be, by its shape.
enum ForeignID {
    /// An id that names author and sequence number, in whatever dialect, as ours.
    case resolved(MessageID)
    /// One of the two dialects that must be computed from the message beforehand.
    case sha256OfSequence(MessageID)
    case sipHashOfData(MessageID)
    case unknown

    /// Cheap for every id but nim's, whose base 58 costs some microseconds.
    init(_ bytes: ByteBuffer) {
        let id = Array(bytes.readableBytesView)
        guard id.count >= 2 else {
            self = Self.isDecimal(id) ? .sipHashOfData(MessageID(bytes: id)) : .unknown
            return
        }
        if id[0] == 0x00 || id[0] == 0x12, Int(id[1]) == id.count - 10 {
            self = .resolved(MessageID(bytes: id))
        } else if id.count == 32 {
            self = .sha256OfSequence(MessageID(bytes: id))
        } else if Self.isDecimal(id) {
            self = .sipHashOfData(MessageID(bytes: id))
        } else if id[0] == 0x08, id.count == 44 {
            // js-libp2p's default: the key instead of the peer id made of it.
            self = .resolved(MessageID(bytes: [0x00, 36] + id))
        } else if let resolved = Self.hexSequenceFrom(id) {
            self = .resolved(resolved)
        } else {
            self = .unknown
        }
    }

    private static func isDecimal(_ id: [UInt8]) -> Bool {
        (1...20).contains(id.count) && id.allSatisfy { (0x30...0x39).contains($0) }
    }

    private static func hexSequenceFrom(_ id: [UInt8]) -> MessageID? {
        guard (24...80).contains(id.count), id.allSatisfy({ $0 < 0x80 }),
            let sequenceNumber = UInt64(String(decoding: id[..<16], as: UTF8.self), radix: 16),
            let from = Base58.decode(String(decoding: id[16...], as: UTF8.self)),
            let peer = try? PeerID(bytes: from)
        else { return nil }
        return MessageID(from: peer, sequenceNumber: sequenceNumber)
    }
}

/// Ids of one message in the dialects that cannot be read back: computed only once somebody speaks them.
struct ForeignIDs {
    var sha256OfSequence: MessageID?
    var sipHashOfData: MessageID?

    var all: [MessageID] { [sha256OfSequence, sipHashOfData].compactMap { $0 } }
}

/// Which costly dialects are spoken around us. Switched on by the first peer or id of the dialect, never off.
struct DialectsInUse: Equatable {
    var sha256OfSequence = false
    var sipHashOfData = false

    /// Notes a dialect; true when it was not in use before.
    mutating func insert(_ dialect: MessageIDDialect) -> Bool {
        let before = self
        switch dialect {
        case .fromSequence, .hexSequenceFrom: break
        case .sha256OfSequence: sha256OfSequence = true
        case .sipHashOfData: sipHashOfData = true
        }
        return self != before
    }

    func ids(from: PeerID, sequenceNumber: UInt64, data: ByteBuffer) -> ForeignIDs {
        var ids = ForeignIDs()
        if sha256OfSequence {
            ids.sha256OfSequence = MessageIDDialect.sha256OfSequence.id(
                from: from, sequenceNumber: sequenceNumber, data: data)
        }
        if sipHashOfData {
            ids.sipHashOfData = MessageIDDialect.sipHashOfData.id(
                from: from, sequenceNumber: sequenceNumber, data: data)
        }
        return ids
    }
}
