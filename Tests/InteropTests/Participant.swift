import Foundation
import Testing

/// Somebody in the room: ours, or written by other people.
enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case ours = "swift-peer"
    case python = "py-libp2p"
    case go = "p2pd"

    /// Those written by other people.
    static let others: [Kind] = [.python, .go]
    var testDescription: String { rawValue }
    /// What it calls itself in identify.
    var agent: String { rawValue }
}

/// A running chat peer behind one face, whoever wrote it.
struct Participant: Sendable {
    static let chat = "universal-connectivity"
    static let loopback = "/ip4/127.0.0.1/tcp/0"

    /// A chat message as it came in.
    struct Heard: Equatable, Sendable {
        var from: String
        var text: String
        /// Hexadecimal; only other people's peers tell.
        var sequence: String?
    }

    let kind: Kind
    let child: Child
    let peer: String
    /// One address to dial, peer id included.
    let address: String

    /// Starts one that listens on a free port of the loopback.
    ///
    /// - Parameter prefix: what to put before its command, to run it in another network.
    static func start(
        _ kind: Kind, on stage: Stage, name: String? = nil, listen: String = loopback, inside prefix: [String] = [],
        flags: [String] = [], environment: [String: String] = [:]
    ) async throws -> Participant {
        let name = name ?? kind.rawValue
        let child: Child
        let start = { (program: String, arguments: [String]) in
            let words = prefix + [program] + arguments
            return try stage.start(name, words[0], Array(words.dropFirst()), environment: environment)
        }
        switch kind {
        case .ours:
            let quiet =
                [
                    "bot", "--json", "--ephemeral", "--no-mdns", "--listen", listen, "--nick", name,
                ] + (flags.contains("--stun") ? [] : ["--no-stun"])
            child = try start(try Installed.program(), quiet + flags)
        case .python:
            let script = [
                Installed.script("py_chat_peer.py"), "--exit-on-eof", "--listen", listen,
            ]
            let quiet = listen.hasSuffix("/webrtc-direct") ? [] : ["--no-webrtc"]
            child = try start(try Installed.python(), script + quiet + flags)
        case .go:
            let script = [
                Installed.script("p2pd_peer.py"), "--exit-on-eof", "--p2pd", try Installed.p2pd(),
            ]
            child = try start(try Installed.python(), script + ["--listen", listen] + flags)
        }
        let ready = try await child.event(kind == .ours ? "ready" : "listening", within: .seconds(40))
        let addresses = ready.texts(kind == .ours ? "addresses" : "addrs")
        let wanted = listen.split(separator: "/0", maxSplits: 1)[0] + "/"
        let address = try #require(addresses.first { $0.contains(wanted) }, "\(addresses)")
        return Participant(
            kind: kind, child: child, peer: try #require(ready.text("peer")), address: address)
    }

    /// Dials `other` and waits for a connection that can carry streams.
    func connect(to other: Participant) async throws {
        switch kind {
        case .ours:
            try child.send(#"{"connect":\#(JSON.quoted(other.address))}"#)
            try await child.event(
                "connection", ["peer": other.peer, "state": "open", "direction": "out"],
                within: .seconds(30))
        case .python, .go:
            try child.send("/connect " + other.address)
            try await child.event("connected", ["peer": other.peer], within: .seconds(30))
        }
    }

    /// One round trip to `other` over the connection there is, in milliseconds.
    func ping(_ other: Participant) async throws -> Double {
        let seen = child.events.count
        try child.send(kind == .ours ? #"{"ping":"\#(other.peer)"}"# : "/ping " + other.peer)
        let pong = try await child.event("pong", ["peer": other.peer], skipping: seen)
        return try #require(pong.number(kind == .ours ? "ms" : "rtt_ms"))
    }

    /// Says `text` in the chat's room.
    func say(_ text: String) throws {
        try child.send(kind == .ours ? #"{"say":\#(JSON.quoted(text))}"# : text)
    }

    /// What `event` says somebody else said in the chat's room, if that is what it is.
    func heard(_ event: JSON) -> Heard? {
        guard event.event == "message", let from = event.text("from"), from != peer else { return nil }
        let (room, text) = kind == .ours ? ("room", "text") : ("topic", "data")
        guard event.text(room) == Self.chat, let words = event.text(text) else { return nil }
        return Heard(from: from, text: words, sequence: event.text("seqno"))
    }

    /// Waits until `text` came from `other`.
    func hears(_ text: String, from other: Participant, within limit: Duration = .seconds(20))
        async throws
    {
        try await child.event("\(text) from \(other.child.name)", within: limit) {
            heard($0).map { $0.from == other.peer && $0.text == text } ?? false
        }
    }

    /// Whether `text` from `other` came already.
    func hasHeard(_ text: String, from other: Participant) -> Bool {
        child.events.contains { heard($0).map { $0.from == other.peer && $0.text == text } ?? false }
    }
}

/// Has everyone say something again and again until everyone heard it from everyone: then the mesh stands.
func waitForMesh(_ room: [Participant], within limit: Duration = .seconds(40)) async throws {
    var round = 0
    var next = ContinuousClock.now
    try await until("everyone hears everyone", within: limit) {
        let missing = room.filter { speaker in
            room.contains { $0.peer != speaker.peer && !hasHeardProbe($0, of: speaker) }
        }
        if missing.isEmpty { return true }
        if ContinuousClock.now >= next {
            round += 1
            next = .now + .milliseconds(1200)
            for speaker in missing { try speaker.say("probe \(round)") }
        }
        return false
    }
}

private func hasHeardProbe(_ listener: Participant, of speaker: Participant) -> Bool {
    listener.child.events.contains {
        listener.heard($0).map { $0.from == speaker.peer && $0.text.hasPrefix("probe ") } ?? false
    }
}
