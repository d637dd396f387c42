import NIOCore
import Testing
import VectorFiles
import Wire

/// What the suites of the stream protocols, mDNS and the dialer share.
enum Fixture {
    static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    static func key(_ number: UInt8) throws -> KeyPair { try KeyPair(seed: Array(repeating: number, count: 32)) }
    static func peer(_ number: UInt8) throws -> PeerID { try key(number).peerID }

    static func bytes(hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
    }

    /// The pieces of `bytes`, each of at most `size`.
    static func pieces(_ bytes: ByteBuffer, of size: Int) -> [ByteBuffer] {
        var rest = bytes
        var pieces: [ByteBuffer] = []
        while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
            pieces.append(piece)
        }
        return pieces
    }

    /// Feeds `bytes` in pieces of `size` to a leaf's event, as a stream would, and collects what it wants done.
    static func feed<Action: Equatable>(
        _ bytes: ByteBuffer, by size: Int, none: Action, _ received: (inout ByteBuffer) -> Action
    ) -> [Action] {
        var inbox = ByteBuffer()
        var actions: [Action] = []
        for var piece in pieces(bytes, of: size) {
            inbox.writeBuffer(&piece)
            while true {
                let action = received(&inbox)
                if action == none { break }
                actions.append(action)
            }
        }
        return actions
    }

    /// One entry of a vector file.
    struct Vector {
        let name: String
        let input: [String: Any]
        let hex: String
    }

    static func vectors(_ file: String) throws -> [Vector] {
        try Vectors.load(file).compactMap {
            guard let hex = $0.output["hex"] as? String else { return nil }
            return Vector(name: $0.name, input: $0.input, hex: hex)
        }
    }
}
