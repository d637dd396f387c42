import Foundation
import NIOCore
import Testing
import WebRTC
import WebRTCRuntime

extension Interop {
    /// Data channels with stacks of other people, signalling by hand: each offers once and answers once.
    @Suite struct PeerConnectionTests {
        enum Offerer: String, CaseIterable, Sendable, CustomTestStringConvertible {
            case us = "we offer"
            case them = "they offer"
            var testDescription: String { rawValue }
        }

        /// Which end closes.
        enum Closer: String, CaseIterable, Sendable, CustomTestStringConvertible {
            case us = "we close"
            case them = "they close"
            var testDescription: String { rawValue }
        }

        /// Every kind of channel there is.
        private static let kinds: [DataChannelOptions] = [
            DataChannelOptions(label: "plain", subprotocol: "chat"),
            DataChannelOptions(label: "unordered", isOrdered: false),
            DataChannelOptions(label: "once", isOrdered: false, reliability: .maxRetransmits(0)),
            DataChannelOptions(label: "thrice", reliability: .maxRetransmits(3)),
            DataChannelOptions(label: "timed", isOrdered: false, reliability: .maxPacketLifeTime(700)),
        ]

        @Test(
            "Channels of every kind, opened by either side, carry text, bytes and nothing", .timeLimit(.minutes(1)),
            arguments: Stack.allCases, Offerer.allCases)
        func conversation(_ stack: Stack, _ offerer: Offerer) async throws {
            try await Stage.play { stage in
                let pair = try await Pair(
                    stack, on: stage, offerer, ours: Self.kinds,
                    theirs: Self.kinds.map { $0.named("theirs " + $0.label) })
                for kind in Self.kinds {
                    expect(try await pair.theirs.opened(kind.label), is: kind)
                    try await pair.exchange(on: kind.label)
                    let theirs = try await pair.ours.opened("theirs " + kind.label)
                    #expect(theirs.isRemote)
                    #expect(theirs.handle.options.subprotocol == kind.subprotocol)
                    #expect(theirs.handle.options.isOrdered == kind.isOrdered)
                    #expect(theirs.handle.options.reliability == kind.reliability)
                    try await pair.exchange(on: "theirs " + kind.label)
                }
                // One more from each side, when everything stands for long.
                _ = try await pair.ours.open(DataChannelOptions(label: "late"))
                try await pair.theirs.opened("late")
                try await pair.exchange(on: "late")
                try pair.theirs.open(DataChannelOptions(label: "late too"))
                try await pair.exchange(on: "late too")
            }
        }

        @Test(
            "A channel agreed on beforehand is there on both sides, without a word", .timeLimit(.minutes(1)),
            arguments: Stack.allCases, Offerer.allCases)
        func negotiated(_ stack: Stack, _ offerer: Offerer) async throws {
            try await Stage.play { stage in
                let options = DataChannelOptions(label: "agreed", negotiatedID: 0)
                let pair = try await Pair(
                    stack, on: stage, offerer, ours: [options], theirs: [options])
                #expect(try await pair.theirs.opened("agreed").number("id") == 0)
                try await pair.exchange(on: "agreed")
            }
        }

        @Test(
            "A megabyte each way at once arrives as it left", .timeLimit(.minutes(1)),
            arguments: Stack.allCases, Offerer.allCases)
        func bulk(_ stack: Stack, _ offerer: Offerer) async throws {
            try await Stage.play { stage in
                let count = 1_000_000
                let pair = try await Pair(
                    stack, on: stage, offerer, ours: [DataChannelOptions(label: "bulk up")],
                    theirs: [DataChannelOptions(label: "bulk down")])
                let up = try await pair.ours.opened("bulk up").handle
                try await pair.theirs.opened("bulk down")
                try pair.theirs.command("expect", ["label": "bulk up", "bytes": count])
                try pair.theirs.command("flood", ["label": "bulk down", "bytes": count, "size": 16_384])
                var sent = Data()
                while sent.count < count {
                    let size = min(count - sent.count, sent.count.isMultiple(of: 3) ? 16_384 : 1000)
                    let piece = Data((0..<size).map { _ in UInt8.random(in: 0...255) })
                    try await up.send(piece)
                    sent += piece
                }
                let report = try await pair.theirs.child.event("digest", ["label": "bulk up"])
                #expect(report.number("bytes") == Double(count))
                #expect(report.text("sha256") == digest(sent))
                let flooded = try await pair.theirs.child.event("flooded", ["label": "bulk down"])
                let came = try await pair.ours.bytes(count, on: "bulk down")
                #expect(came.count == count)
                #expect(flooded.text("sha256") == digest(came))
            }
        }

        @Test(
            "One large message is whole at the other end", .timeLimit(.minutes(1)),
            arguments: Stack.allCases, Offerer.allCases)
        func large(_ stack: Stack, _ offerer: Offerer) async throws {
            try await Stage.play { stage in
                // aiortc and pion announce 64 KiB, or nothing, which means the same.
                let size = stack == .libdatachannel ? 200_000 : 60_000
                let pair = try await Pair(
                    stack, on: stage, offerer, ours: [], theirs: [DataChannelOptions(label: "bulk")])
                try await pair.theirs.opened("bulk")
                let channel = try await pair.ours.opened("bulk").handle
                let message = Data((0..<size).map { _ in UInt8.random(in: 0...255) })
                try pair.theirs.command("expect", ["label": "bulk", "bytes": size])
                try await channel.send(message)
                let report = try await pair.theirs.child.event("digest", ["label": "bulk"])
                #expect(report.number("messages") == 1)
                #expect(report.text("sha256") == digest(message))
                try pair.theirs.command("flood", ["label": "bulk", "bytes": size, "size": size])
                let flooded = try await pair.theirs.child.event("flooded", ["label": "bulk"])
                let came = try await pair.ours.bytes(size, on: "bulk")
                #expect(flooded.text("sha256") == digest(came))
            }
        }

        @Test(
            "A channel closed by one side closes at the other, and leaves the rest alone", .timeLimit(.minutes(1)),
            arguments: Stack.allCases, Closer.allCases)
        func closingChannels(_ stack: Stack, _ closer: Closer) async throws {
            try await Stage.play { stage in
                let labels = ["a", "b", "stays"]
                let pair = try await Pair(
                    stack, on: stage, .us, ours: ["a", "stays"].map { DataChannelOptions(label: $0) },
                    theirs: [DataChannelOptions(label: "b")])
                for label in labels {
                    try await pair.theirs.opened(label)
                    _ = try await pair.ours.opened(label)
                }
                for label in ["a", "b"] {
                    let channel = try await pair.ours.opened(label).handle
                    switch closer {
                    case .us: await channel.close()
                    case .them: try pair.theirs.command("close", ["label": label])
                    }
                    try await pair.ours.closed(label)
                    try await pair.theirs.closed(label)
                }
                try await pair.exchange(on: "stays")
                // Their ids are free again, and good for another pair.
                _ = try await pair.ours.open(DataChannelOptions(label: "again"))
                try await pair.theirs.opened("again")
                try await pair.exchange(on: "again")
            }
        }

        @Test(
            "Either side ends the connection, and the other hears of it", .timeLimit(.minutes(1)),
            arguments: Stack.allCases, Closer.allCases)
        func ending(_ stack: Stack, _ closer: Closer) async throws {
            try await Stage.play { stage in
                let pair = try await Pair(
                    stack, on: stage, .them, ours: [], theirs: [DataChannelOptions(label: "chat")])
                _ = try await pair.ours.opened("chat")
                try await pair.theirs.opened("chat")
                switch closer {
                case .us:
                    await pair.ours.peer.close()
                    try await pair.theirs.closed("chat")
                case .them:
                    try pair.theirs.command("quit")
                    try await pair.ours.closed("chat")
                    try await pair.ours.ended()
                    try await pair.theirs.child.ended(within: .seconds(20))
                }
            }
        }

        @Test("aiortc takes ids of our parity when it begins DTLS and ICE both; ours make way", .timeLimit(.minutes(1)))
        func parity() async throws {
            try await Stage.play { stage in
                let ours = await Ours.start(on: stage)
                let theirs = try await ChannelPeer.start(.aiortc, on: stage)
                try theirs.open(DataChannelOptions(label: "theirs"))
                try theirs.command("offer")
                let offer = try await theirs.description()
                // Ours is then the server of DTLS, whose ids are odd; so are those of aiortc 1.15 as it leads ICE.
                let answer = try await ours.peer.accept(
                    offer: offer.replacing("a=setup:actpass", with: "a=setup:active"))
                #expect(answer.contains("a=setup:passive"))
                try theirs.command("remote", ["type": "answer", "sdp": answer])
                let pair = Pair(ours: ours, theirs: theirs)
                #expect(try await theirs.opened("theirs").number("id") == 1)
                try await pair.exchange(on: "theirs")
                _ = try await ours.open(DataChannelOptions(label: "ours"))
                #expect(try await theirs.opened("ours").number("id").map { Int($0).isMultiple(of: 2) } == true)
                try await pair.exchange(on: "ours")
                try theirs.open(DataChannelOptions(label: "theirs again"))
                try await pair.exchange(on: "theirs again")
            }
        }

        private func expect(_ told: JSON, is kind: DataChannelOptions) {
            #expect(told["theirs"] == .bool(true), "\(told)")
            #expect(told.text("protocol") == kind.subprotocol, "\(told)")
            #expect(told["ordered"] == .bool(kind.isOrdered), "\(told)")
            let (retransmits, lifetime): (Double?, Double?) =
                switch kind.reliability {
                case .reliable: (nil, nil)
                case .maxRetransmits(let count): (Double(count), nil)
                case .maxPacketLifeTime(let milliseconds): (nil, Double(milliseconds))
                }
            #expect(told.number("max_retransmits") == retransmits, "\(told)")
            #expect(told.number("max_lifetime_ms") == lifetime, "\(told)")
        }
    }
}

/// Our end and theirs, connected.
struct Pair: Sendable {
    let ours: Ours
    let theirs: ChannelPeer

    /// Two ends that are being connected by other means.
    init(ours: Ours, theirs: ChannelPeer) { (self.ours, self.theirs) = (ours, theirs) }

    /// Connects them, with channels that each side opens before they are.
    init(
        _ stack: Stack, on stage: Stage, _ offerer: Interop.PeerConnectionTests.Offerer,
        ours wanted: [DataChannelOptions], theirs wantedOfThem: [DataChannelOptions]
    ) async throws {
        ours = await Ours.start(on: stage)
        theirs = try await ChannelPeer.start(stack, on: stage)
        switch offerer {
        case .us:
            let offer = try await ours.peer.createOffer()
            for options in wanted { _ = try await ours.open(options) }
            try theirs.command("remote", ["type": "offer", "sdp": offer])
            let answer = try await theirs.description()
            for options in wantedOfThem { try theirs.open(options) }
            try await ours.peer.accept(answer: answer)
        case .them:
            for options in wantedOfThem { try theirs.open(options) }
            try theirs.command("offer")
            let answer = try await ours.peer.accept(offer: try await theirs.description())
            for options in wanted { _ = try await ours.open(options) }
            try theirs.command("remote", ["type": "answer", "sdp": answer])
        }
        try await ours.peer.connected()
    }

    /// Text, bytes and empty messages both ways on the channel with this label.
    func exchange(on label: String) async throws {
        let channel = try await ours.opened(label).handle
        try await channel.send("grüß dich 👋🏽")
        try await theirs.received(text: "grüß dich 👋🏽", on: label)
        try await channel.send([0, 255, 10])
        try await theirs.received(bytes: [0, 255, 10], on: label)
        try await channel.send("")
        try await theirs.received(text: "", on: label)
        try await channel.send([])
        try await theirs.received(bytes: [], on: label)
        for (members, message) in [
            (["text": "здравствуй"], .text(ByteBuffer(string: "здравствуй"))), (["text": ""], .text(ByteBuffer())),
            (["hex": "0d00ff"], .binary(ByteBuffer(bytes: [13, 0, 255]))), (["hex": ""], .binary(ByteBuffer())),
        ] as [([String: String], DataChannelMessage)] {
            try theirs.command("send", members.merging(["label": label]) { $1 })
            try await ours.received(message, on: label)
        }
    }
}

extension ChannelPeer {
    /// Has it open a channel.
    func open(_ options: DataChannelOptions) throws {
        var members: [String: Any] = [
            "label": options.label, "protocol": options.subprotocol, "ordered": options.isOrdered,
        ]
        switch options.reliability {
        case .reliable: break
        case .maxRetransmits(let count): members["max_retransmits"] = Int(count)
        case .maxPacketLifeTime(let milliseconds): members["max_lifetime_ms"] = Int(milliseconds)
        }
        if let id = options.negotiatedID {
            members["negotiated"] = true
            members["id"] = Int(id)
        }
        try command("open", members)
    }
}

extension DataChannelOptions {
    fileprivate func named(_ label: String) -> DataChannelOptions {
        var options = self
        options.label = label
        return options
    }
}
