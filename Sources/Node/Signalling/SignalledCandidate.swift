package import ICE
package import NIOCore
import Wire

/// What a candidate message says.
package enum SignalledCandidate: Equatable, Sendable {
    case candidate(ICECandidate)
    /// There will be no more: `null`, `""`, or an empty candidate.
    case end
    /// Nothing we can use, however well-formed: a name, TCP, another component, JSON that is none. It ends nothing.
    case useless

    /// Reads the JSON of browsers' `RTCIceCandidate.toJSON()`: any member but `candidate` may be missing or null.
    ///
    /// Limits: `Limits.signallingCandidate` bytes, and those of a candidate's line.
    package init(json: ByteBuffer) {
        guard json.readableBytes <= Limits.signallingCandidate else {
            self = .useless
            return
        }
        // py-libp2p's proposal sends no data at all.
        guard json.readableBytes > 0, let value = try? JSONValue(json) else {
            self = json.readableBytes == 0 ? .end : .useless
            return
        }
        switch value {
        case .null: self = .end
        case .string(let text): self = Self.read(text)
        case .object(let members):
            switch members["candidate"] {
            case .string(let text)?: self = Self.read(text)
            case .null?: self = .end
            default: self = .useless
            }
        case .bool, .number, .array: self = .useless
        }
    }

    private static func read(_ line: String) -> SignalledCandidate {
        guard !line.isEmpty else { return .end }
        guard let candidate = try? ICECandidate(parsing: line) else { return .useless }
        return .candidate(candidate)
    }

    /// The JSON that says this candidate of ours belongs to the section `mid`, the only one there is.
    package static func json(_ candidate: ICECandidate, mid: String, ufrag: String) -> String {
        let line = JSONValue.quoted("\(candidate)")
        return "{\"candidate\":\(line),\"sdpMid\":\(JSONValue.quoted(mid)),\"sdpMLineIndex\":0,"
            + "\"usernameFragment\":\(JSONValue.quoted(ufrag))}"
    }
}
