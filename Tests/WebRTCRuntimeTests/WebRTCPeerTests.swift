import Foundation
import NIOCore
import Testing
import WebRTC
import Wire

@testable import WebRTCRuntime

@Suite(.serialized, .timeLimit(.minutes(1))) struct WebRTCPeerTests {
    @Test(
        "two peers connect and every size and kind of message comes back", arguments: ["127.0.0.1", "::1"],
        [true, false])
    func echo(ip: String, offload: Bool) async throws {
        let pair = PeerPair(ip, offload: offload)
        let (near, far) = try await pair.open()
        #expect(far.options.label == "test")
        let echo = Task { for try await message in far.messages { try await far.send(message) } }
        var replies = near.messages.makeAsyncIterator()
        for size in [0, 1, 2, 1100, 1200, 1201, 16_384, 65_535, 65_536, 262_144] {
            for message in [DataChannelMessage.binary(pattern(size)), .text(pattern(size, seed: 32))] {
                try await near.send(message)
                #expect(try await replies.next() == message, "\(size)")
            }
        }
        await #expect { try await near.send(.binary(pattern(262_145))) } throws: {
            ($0 as? WebRTCError)?.code == .tooLarge
        }
        let statistics = try #require(await pair.near.statistics())
        #expect(statistics.state == .connected && statistics.localCandidate == "host" && statistics.channels == 1)
        await near.close()
        _ = try await echo.value
        #expect(try await replies.next() == nil)
        await pair.close()
    }

    @Test("ten megabytes arrive whole though the reader comes late")
    func bulk() async throws {
        let pair = PeerPair()
        let (near, far) = try await pair.open()
        let sent = 640
        let sending = Task {
            for index in 0..<sent {
                try await near.send(.binary(pattern(16_384, seed: UInt8(truncatingIfNeeded: index))))
            }
            await near.close()
        }
        while !(await pair.far.isPaused) { await Task.yield() }
        var count = 0
        for try await message in far.messages {
            #expect(message == .binary(pattern(16_384, seed: UInt8(truncatingIfNeeded: count))))
            count += 1
        }
        #expect(count == sent)
        let isPaused = await pair.far.isPaused
        #expect(!isPaused)
        try await sending.value
        await pair.close()
    }

    @Test("a connection that nobody reads from ends, and says why")
    func unread() async throws {
        let pair = PeerPair()
        await pair.far.setReaderPatience(.milliseconds(100))
        let (near, far) = try await pair.open()
        let sending = Task { while true { try await near.send(.binary(pattern(65_536))) } }
        await #expect(throws: WebRTCError.self) { try await sending.value }
        await #expect { for try await _ in far.messages {} } throws: { ($0 as? WebRTCError)?.code == .notRead }
        #expect(await pair.far.state == .failed)
        await pair.close()
    }

    @Test("a handler may close the connection it is called by, and the remote hears of it")
    func closingWithin() async throws {
        let pair = PeerPair()
        await pair.far.onChannel { peer, channel in peer.onMessage(of: channel.id) { peer, _ in peer.close() } }
        try await pair.signal()
        let channel = try await pair.near.openChannel()
        try await channel.send("close")
        for try await _ in channel.messages {}
        #expect(await pair.near.state == .closed)
    }

    @Test("channels of every reliability work, and many at once")
    func channels() async throws {
        let pair = PeerPair()
        try await pair.signal()
        let echo = Task {
            for try await channel in pair.far.incomingChannels {
                Task { for try await message in channel.messages { try await channel.send(message) } }
            }
        }
        let kinds = [
            DataChannelOptions(label: "a", subprotocol: "p"), DataChannelOptions(isOrdered: false),
            DataChannelOptions(isOrdered: false, reliability: .maxRetransmits(0)),
            DataChannelOptions(reliability: .maxPacketLifeTime(1000)),
        ]
        for (index, options) in (kinds + kinds).enumerated() {
            let channel = try await pair.near.openChannel(options)
            try await channel.send("number \(index)")
            var replies = channel.messages.makeAsyncIterator()
            #expect(try await replies.next() == .text(ByteBuffer(string: "number \(index)")))
            if options.requiresSingleDatagram {
                await #expect { try await channel.send(.binary(pattern(1200))) } throws: {
                    ($0 as? WebRTCError)?.code == .tooLargeForDatagram
                }
            }
        }
        await pair.close()
        _ = try await echo.value
    }

    @Test("closing from either side ends everything that waits at both", arguments: [true, false])
    func closing(nearCloses: Bool) async throws {
        let pair = PeerPair()
        let (near, far) = try await pair.open()
        try await near.send("last")
        let nearEnd = Task { for try await _ in near.messages {} }
        let channelsEnd = Task { for try await _ in pair.near.incomingChannels {} }
        var messages = far.messages.makeAsyncIterator()
        #expect(try await messages.next() == .text(ByteBuffer(string: "last")))
        await (nearCloses ? pair.near : pair.far).close()
        try await nearEnd.value
        try await channelsEnd.value
        #expect(try await messages.next() == nil)
        for peer in [pair.near, pair.far] {
            #expect(await peer.state == .closed)
            #expect(await peer.socketCount == 0)
            await #expect { _ = try await peer.openChannel() } throws: { ($0 as? WebRTCError)?.code == .closed }
            await #expect { try await peer.connected() } throws: { ($0 as? WebRTCError)?.code == .closed }
            await peer.close()
        }
        await #expect { try await near.send("more") } throws: { ($0 as? WebRTCError)?.code == .closed }
    }

    @Test("handlers on the loop see messages in their turn")
    func handlers() async throws {
        let pair = PeerPair()
        await pair.far.onChannel { peer, channel in
            peer.onMessage(of: channel.id) { peer, message in try? peer.send(message, on: channel.id) }
        }
        try await pair.signal()
        let channel = try await pair.near.openChannel()
        let (stream, feed) = AsyncStream.makeStream(of: DataChannelMessage.self)
        await pair.near.onMessage(of: channel.id) { _, message in feed.yield(message) }
        var replies = stream.makeAsyncIterator()
        for index in 0..<100 {
            try await channel.send("\(index)")
            #expect(await replies.next() == .text(ByteBuffer(string: "\(index)")))
        }
        await pair.close()
    }

    @Test("a wrong certificate is refused")
    func wrongFingerprint() async throws {
        let pair = PeerPair()
        try await pair.signal { text in
            // The first digits of the fingerprint become others.
            guard let range = text.range(of: "a=fingerprint:sha-256 ") else { return text }
            var changed = text
            let start = range.upperBound
            changed.replaceSubrange(start...start, with: text[start] == "0" ? "1" : "0")
            return changed
        }
        await #expect(throws: WebRTCError.self) { try await pair.near.connected() }
        await #expect(throws: WebRTCError.self) { try await pair.far.connected() }
        let states = [await pair.near.state, await pair.far.state]
        #expect(states.contains(.failed))
        await pair.close()
    }

    @Test("what is asked for at the wrong time, or is no description, is refused in words")
    func misuse() async throws {
        let peer = WebRTCPeer()
        #expect(await peer.state == .new)
        #expect(await peer.statistics() == nil)
        await #expect { try await peer.accept(answer: "v=0") } throws: {
            ($0 as? WebRTCError)?.code == .invalidDescription
        }
        await #expect { _ = try await peer.accept(offer: "") } throws: {
            ($0 as? WebRTCError)?.code == .invalidDescription
        }
        await #expect { _ = try await peer.openChannel() } throws: { ($0 as? WebRTCError)?.code == .wrongState }
        await #expect { try await peer.add(candidate: "candidate:1") } throws: {
            ($0 as? WebRTCError)?.code == .wrongState
        }
        _ = try await peer.createOffer()
        await #expect { _ = try await peer.createOffer() } throws: { ($0 as? WebRTCError)?.code == .wrongState }
        await #expect { try await peer.add(candidate: "x") } throws: { ($0 as? WebRTCError)?.code == .invalidCandidate }
        try await peer.add(candidate: "candidate:1 1 tcp 5 192.0.2.1 9 typ host tcptype active")
        await peer.close()
        #expect(await peer.state == .closed)
        var configuration = WebRTCConfiguration()
        for (addresses, code) in [
            (["no"], WebRTCError.Code.invalidArgument), (["0.0.0.0"], .invalidArgument),
            (["1.1.1.1"], .system),
        ] {
            configuration.hostAddresses = addresses
            let peer = WebRTCPeer(configuration: configuration)
            await #expect { _ = try await peer.createOffer() } throws: { ($0 as? WebRTCError)?.code == code }
        }
    }

    @Test("a task that waits can be cancelled")
    func cancelling() async throws {
        let pair = PeerPair()
        let (near, _) = try await pair.open()
        for waiting in [
            Task { () throws -> Void in for try await _ in near.messages {} },
            Task { for try await _ in pair.near.incomingChannels {} },
            Task { _ = try await pair.near.nextCandidate() },
        ] {
            await Task.yield()
            waiting.cancel()
            await #expect { try await waiting.value } throws: { ($0 as? WebRTCError)?.code == .cancelled }
        }
        try await near.send("still works")
        await pair.close()
    }

    @Test("setup on a clean path hides no second")
    func setup() async throws {
        var slowest = Duration.zero
        for _ in 0..<30 {
            let pair = PeerPair()
            let start = ContinuousClock.now
            try await pair.signal()
            let channel = try await pair.near.openChannel()
            slowest = max(slowest, ContinuousClock.now - start)
            await channel.close()
            await pair.close()
        }
        #expect(slowest < .milliseconds(250))
    }
}
