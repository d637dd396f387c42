import ICE
import NIOCore
import Node
import Testing
import WebRTC
import Wire

@testable import SwiftPeer

@Suite(.serialized) struct EchoSessionsTests {
    @Test("Every kind of channel hears its messages back, by both versions", arguments: DirectVersion.allCases)
    func echoes(version: DirectVersion) throws {
        var bench = try EchoBench(version: version)
        let options = [
            DataChannelOptions(label: "echo"), DataChannelOptions(label: "echo/unordered", isOrdered: false),
            DataChannelOptions(label: "echo/once", isOrdered: false, reliability: .maxRetransmits(0)),
            DataChannelOptions(label: "echo/partial", isOrdered: false, reliability: .maxPacketLifeTime(200)),
        ]
        let channels = try options.map { try bench.client.open($0, now: bench.now) }
        for channel in channels {
            try bench.client.send(.binary(ByteBuffer(string: "hello \(channel)")), on: channel, now: bench.now)
            try bench.client.send(.text(ByteBuffer(string: "grüße")), on: channel, now: bench.now)
            try bench.client.send(.binary(ByteBuffer()), on: channel, now: bench.now)
        }
        #expect(bench.run { bench in channels.allSatisfy { bench.echoes(on: $0).count == 3 } })
        for (channel, options) in zip(channels, options) {
            let echoes = bench.echoes(on: channel)
            let sent: [DataChannelMessage] = [
                .binary(ByteBuffer(string: "hello \(channel)")), .text(ByteBuffer(string: "grüße")),
                .binary(ByteBuffer()),
            ]
            if options.isOrdered { #expect(echoes == sent) } else { #expect(Set(echoes) == Set(sent)) }
        }
        let remote = TransportAddress(.v4(.init(0x7F00_0001)), port: 4000)
        #expect(bench.events.first == .connected(remote, version: version.name))
        #expect(bench.events.dropFirst().contains(.opened(remote, label: "echo/once")))
    }

    @Test("A message too large for one datagram is a typed error for its sender")
    func ownLimit() throws {
        var bench = try EchoBench()
        let once = DataChannelOptions(isOrdered: false, reliability: .maxRetransmits(0))
        let channel = try bench.client.open(once, now: bench.now)
        #expect(bench.run { !$0.events.isEmpty })
        let limit = bench.client.largestDatagramMessage
        #expect(throws: DataChannelError.tooLargeForDatagram(limit: limit)) {
            try bench.client.send(.binary(ByteBuffer(repeating: 1, count: limit + 1)), on: channel, now: bench.now)
        }
        try bench.client.send(.binary(ByteBuffer(repeating: 1, count: limit)), on: channel, now: bench.now)
        #expect(bench.run { $0.echoes(on: channel).count == 1 })
    }

    @Test("Somebody who sends too large a message all the same is told which one, and how much would fit")
    func otherLimit() throws {
        var bench = try EchoBench()
        var once = DataChannelOptions(isOrdered: false, reliability: .maxRetransmits(0))
        once.requiresSingleDatagram = false
        let channel = try bench.client.open(once, now: bench.now)
        try bench.client.send(.binary(ByteBuffer(repeating: 0xAB, count: 4000)), on: channel, now: bench.now)
        #expect(bench.run { !$0.echoes(on: channel).isEmpty })
        let limit = bench.client.largestDatagramMessage
        #expect(
            bench.echoes(on: channel) == [
                .text(
                    ByteBuffer(
                        string: #"{"error":"too-large-for-datagram","limit":\#(limit),"bytes":4000,"#
                            + #""head":"abababababababab"}"#))
            ])
    }

    @Test("Large messages come back whole on channels that retransmit")
    func large() throws {
        var bench = try EchoBench()
        let channel = try bench.client.open(DataChannelOptions(label: "echo"), now: bench.now)
        let message = DataChannelMessage.binary(
            ByteBuffer(bytes: (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }))
        for _ in 0..<4 { try bench.client.send(message, on: channel, now: bench.now) }
        #expect(bench.run { $0.echoes(on: channel).count == 4 })
        #expect(bench.echoes(on: channel).allSatisfy { $0 == message })
    }

    @Test("Who leaves is forgotten, with what was echoed counted")
    func leaving() throws {
        var bench = try EchoBench()
        let channel = try bench.client.open(DataChannelOptions(label: "echo"), now: bench.now)
        try bench.client.send(.text(ByteBuffer(string: "x")), on: channel, now: bench.now)
        #expect(bench.run { $0.echoes(on: channel).count == 1 })
        #expect(bench.server.count == 1)
        bench.client.handle(.close, now: bench.now)
        #expect(bench.run { $0.server.count == 0 })
        let remote = TransportAddress(.v4(.init(0x7F00_0001)), port: 4000)
        #expect(bench.events.last == .disconnected(remote, echoed: 1, refused: 0))
        #expect(bench.server.deadline == .distantFuture)
    }

    @Test("The server's end tells everybody goodbye")
    func closing() throws {
        var bench = try EchoBench()
        _ = try bench.client.open(DataChannelOptions(label: "echo"), now: bench.now)
        #expect(bench.run { !$0.events.isEmpty })
        bench.server.handle(.close, now: bench.now)
        #expect(bench.run { $0.outputs.contains(.closed(nil)) })
        #expect(bench.server.count == 0)
    }

    @Test("Datagrams of nobody cost nothing")
    func strangers() throws {
        var bench = try EchoBench()
        let path = ICEPath(
            local: TransportAddress(.v4(.init(0x7F00_0001)), port: 5000),
            remote: TransportAddress(.v4(.init(0x7F00_0001)), port: 4001))
        for bytes in [[22, 254, 253], [0, 1], [], [UInt8](repeating: 0, count: 1200)] as [[UInt8]] {
            bench.server.handle(.datagrams(Datagrams(ByteBuffer(bytes: bytes)), on: path), now: bench.now)
        }
        #expect(bench.server.count == 0 && bench.server.poll() == nil)
    }

    @Test("Each error that a sender can do something about has its name")
    func refusals() {
        let message = DataChannelMessage.binary(ByteBuffer(bytes: [1, 0xFF]))
        #expect(
            EchoSessions.refusal(of: message, .tooLarge(limit: 1))
                == #"{"error":"too-large","limit":1,"bytes":2,"head":"01ff"}"#)
        for error in [DataChannelError.closed, .bufferFull, .tooManyChannels, .invalidOptions] {
            #expect(EchoSessions.refusal(of: message, error) == nil)
        }
    }
}
