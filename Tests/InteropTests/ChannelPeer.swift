import Crypto
import Foundation
import Testing

/// A WebRTC stack of other people.
enum Stack: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case aiortc
    case pion
    case libdatachannel

    var testDescription: String { rawValue }
}

/// One connection with data channels in a process of another stack, by the line protocol of Peers/channel_lines.py.
struct ChannelPeer: Sendable {
    let child: Child

    static func start(_ stack: Stack, on stage: Stage) async throws -> ChannelPeer {
        let child =
            switch stack {
            case .aiortc:
                try stage.start("aiortc", try Installed.python(), [Installed.script("aiortc_peer.py")])
            case .pion:
                try stage.start("pion", try Installed.pion(), [])
            case .libdatachannel:
                try stage.start(
                    "libdatachannel", try Installed.python(),
                    [Installed.script("ldc_peer.py"), "--lib", try Installed.libdatachannel()])
            }
        try await child.event("ready", within: .seconds(40))
        return ChannelPeer(child: child)
    }

    /// Gives a command: members beside `do`, as JSON writes them.
    func command(_ name: String, _ members: [String: Any] = [:]) throws {
        let all = members.merging(["do": name]) { $1 }
        let line = try JSONSerialization.data(withJSONObject: all, options: .sortedKeys)
        try child.send(String(decoding: line, as: UTF8.self))
    }

    /// The description it makes of itself, all candidates in it.
    func description() async throws -> String {
        try #require(try await child.event("description").text("sdp"))
    }

    @discardableResult
    func opened(_ label: String) async throws -> JSON {
        try await child.event("open", ["label": label])
    }

    func closed(_ label: String) async throws {
        try await child.event("closed", ["label": label])
    }

    func received(text: String, on label: String) async throws {
        try await child.event("message", ["label": label, "text": text])
    }

    func received(bytes: [UInt8], on label: String) async throws {
        try await child.event("message", ["label": label, "hex": bytes.hex])
    }
}

extension [UInt8] {
    /// Lower-case, two digits a byte.
    var hex: String {
        map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
    }
}

/// SHA-256, as the peers report it.
func digest(_ bytes: some DataProtocol) -> String { Array(SHA256.hash(data: bytes)).hex }
