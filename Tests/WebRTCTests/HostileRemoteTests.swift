import ICE
import NIOCore
import PlainEngines
import Testing
import VectorFiles
import Wire

@testable import WebRTC

/// A remote that got through DTLS and SCTP, and then sends what it likes. The victim is end 1, the DTLS server.
@Suite struct HostileRemoteTests {
    private func connected(
        configure: (Int, inout PeerConnectionConfiguration) -> Void = { _, _ in }
    ) throws -> VirtualLink {
        let link = VirtualLink(configure: configure)
        try link.connect()
        return link
    }

    /// Past all that would hold an honest end back.
    private func send(
        _ payload: PayloadProtocol, _ bytes: ByteBuffer, on stream: UInt16, isUnordered: Bool = false,
        _ link: VirtualLink, run: Bool = true
    ) throws {
        let sctp = try #require(link.ends[0].sctp)
        try sctp.send(SCTPMessage(stream: stream, payload, bytes, isUnordered: isUnordered), now: link.now)
        link.ends[0].due = link.now
        if run { link.run(for: .milliseconds(50)) }
    }

    private func announcement(_ label: String = "") -> ByteBuffer {
        DCEPMessage.open(DataChannelOptions(label: label)).encoded
    }

    @Test(arguments: ["03", "0300000000000000", "030000000000000000ff0000", "09", "03050000000000000000 0000"])
    func whatIsNoAnnouncementEndsTheStream(text: String) throws {
        let link = try connected()
        try send(.dcep, hex(text), on: 6, link)
        #expect(link.ids(openedAt: 1).isEmpty && link.ends[1].table.count == 0)
        #expect(link.ends[1].statistics.messagesDropped == 1)
        // And one channel's trouble is nobody else's.
        try send(.dcep, announcement(), on: 8, link)
        #expect(link.infos(openedAt: 1).map(\.stream) == [8])
        try send(.dcep, hex(text), on: 8, link)
        #expect(throws: DataChannelError.closed) {
            try link.at(1) { try $0.send(.text(ByteBuffer()), on: try #require(link.ids(openedAt: 1).first), now: $1) }
        }
        #expect(link.ends[1].state == .connected)
    }

    @Test func acknowledgementsNobodyWaitsForMeanNothing() throws {
        let link = try connected()
        for text in ["02", "02000000"] { try send(.dcep, hex(text), on: 6, link) }
        #expect(link.ends[1].table.count == 0 && link.ends[1].refused.count == 0)
    }

    /// pion's acknowledgement.
    @Test func anAcknowledgementOfFourBytesOpensAChannel() throws {
        let link = try connected()
        link.passes = { _, _ in true }
        let id = try link.ends[1].open(DataChannelOptions(), now: link.now)
        try send(.dcep, hex("02000000"), on: 1, link, run: false)
        link.run(for: .seconds(1))
        #expect(link.ids(openedAt: 1) == [id])
    }

    @Test(arguments: [(51, true, 3), (54, true, 3), (53, false, 3), (52, false, 3), (56, true, 0), (57, false, 0)])
    func everyKindOfMessageIsToldApart(identifier: UInt32, isText: Bool, length: Int) throws {
        let link = try connected()
        try send(.dcep, announcement(), on: 2, link)
        try send(PayloadProtocol(rawValue: identifier), ByteBuffer(string: "abc"), on: 2, link)
        let bytes = ByteBuffer(string: length == 0 ? "" : "abc")
        #expect(link.messages(at: 1) == [isText ? .text(bytes) : .binary(bytes)])
    }

    @Test(arguments: [0, 1, 49, 55, 58, UInt32.max])
    func anUnknownKindOfMessageIsDropped(identifier: UInt32) throws {
        let link = try connected()
        try send(.dcep, announcement(), on: 2, link)
        try send(PayloadProtocol(rawValue: identifier), ByteBuffer(string: "abc"), on: 2, link)
        try send(.text, ByteBuffer(string: "next"), on: 2, link)
        #expect(link.messages(at: 1) == [.text(ByteBuffer(string: "next"))])
        #expect(link.ends[1].statistics.messagesDropped == 1)
    }

    // MARK: Ids

    @Test func anAnnouncementOnAStreamInUseChangesNothing() throws {
        let link = VirtualLink()
        let ours = try link.at(1) { try $0.open(DataChannelOptions(label: "agreed", negotiatedID: 4), now: $1) }
        try link.connect()
        try send(.dcep, announcement("first"), on: 2, link)
        try send(.dcep, announcement("second"), on: 2, link)
        try send(.dcep, announcement("third"), on: 4, link)
        #expect(link.infos(openedAt: 1).map(\.options.label).sorted() == ["agreed", "first"])
        try send(.text, ByteBuffer(string: "x"), on: 4, link)
        #expect(link.messages(at: 1, on: ours).count == 1)
    }

    /// aiortc before 1.16 counts by the ICE role: its ids have our parity, so ours take the other.
    @Test func aRemoteThatCountsByTheOtherRuleIsAccepted() throws {
        let link = try connected()
        try send(.dcep, announcement("theirs"), on: 1, link)
        #expect(link.infos(openedAt: 1).map(\.stream) == [1])
        _ = try link.at(1) { try $0.open(DataChannelOptions(), now: $1) }
        link.run(for: .seconds(1))
        #expect(link.infos(openedAt: 1).map(\.stream) == [1, 0])
        try send(.text, ByteBuffer(string: "x"), on: 1, link)
        #expect(link.messages(at: 1).count == 1)
    }

    @Test func twoAnnouncementsOfOneStreamAreAChannelForNobody() throws {
        let link = try connected()
        let id = try link.ends[1].open(DataChannelOptions(), now: link.now)
        try send(.dcep, announcement(), on: 1, link, run: false)
        // Theirs arrives while ours is under way, and nobody acknowledges.
        link.passes = { end, _ in end == 0 }
        link.run(for: .milliseconds(20))
        link.passes = { _, _ in true }
        link.run(for: .seconds(5))
        #expect(link.closes(at: 1).first == id)
        // From now on ours are even.
        let next = try link.at(1) { try $0.open(DataChannelOptions(), now: $1) }
        link.run(for: .seconds(1))
        #expect(link.ids(openedAt: 1).last == next && link.infos(openedAt: 1).last?.stream == 0)
    }

    /// Two ends that count by the same rule, as we and aiortc before 1.16 would.
    @Test func announcementsThatCrossOnOneStreamEndAndLaterOnesDoNot() throws {
        let link = try connected()
        for end in link.ends {
            end.table = ChannelTable()
            end.table.decide(role: .server)
        }
        for round in 0..<3 {
            // Both leave before either arrives, with a message behind each.
            let ids = try (0...1).map { end in
                let id = try link.ends[end].open(DataChannelOptions(label: "\(round)"), now: link.now)
                try link.ends[end].send(.text(ByteBuffer(string: "lost")), on: id, now: link.now)
                return id
            }
            link.run(for: .seconds(2))
            for end in 0...1 {
                #expect(link.closes(at: end).last == ids[end])
                let connection = link.ends[end]
                #expect(connection.table.count == 0 && connection.refused.count == 0 && connection.orphans.isEmpty)
                #expect(connection.unacknowledgedBytes == 0 && connection.state == .connected)
            }
        }
        #expect(link.messageCounts == [0, 0])
        // One after the other, each finds a stream of its own.
        for end in 0...1 {
            try link.at(end) { connection, now in
                let id = try connection.open(DataChannelOptions(), now: now)
                try connection.send(.text(ByteBuffer(string: "heard")), on: id, now: now)
            }
            link.run(for: .seconds(1))
            #expect(link.messages(at: 1 - end) == [.text(ByteBuffer(string: "heard"))])
        }
    }

    @Test func aHundredThousandAnnouncementsStayBounded() throws {
        let link = try connected { end, configuration in
            configuration.channels = end == 0 ? 10 : 100
            configuration.streams = 20_000
        }
        let announcement = announcement()
        for number in 0..<100_000 {
            let message = SCTPMessage(stream: UInt16(number % 20_000), .dcep, announcement)
            link.ends[1].received(message, now: link.now)
        }
        let victim = link.ends[1]
        #expect(victim.table.count == 100 && victim.refused.count == Limits.refusedStreams)
        #expect(victim.outputs.count == 100)
        link.ends[1].due = link.now
        link.run(for: .seconds(2))
        #expect(link.ids(openedAt: 1).count == 100 && victim.state == .connected)
    }

    @Test func aRefusedAnnouncementIsAnsweredByAReset() throws {
        let link = try connected { end, configuration in configuration.channels = end == 0 ? 50 : 2 }
        let ids = try (0..<5).map { number in
            try link.at(0) { try $0.open(DataChannelOptions(label: "\(number)"), now: $1) }
        }
        link.run(for: .seconds(2))
        #expect(link.ids(openedAt: 0) == Array(ids.prefix(2)))
        #expect(link.closes(at: 0) == Array(ids.suffix(3)))
        #expect(link.ends[1].refused.count == 0)
        // Room again: the same streams serve.
        for id in ids.prefix(2) { link.at(0) { $0.close(id, now: $1) } }
        link.run(for: .seconds(1))
        let next = try link.at(0) { try $0.open(DataChannelOptions(label: "next"), now: $1) }
        link.run(for: .seconds(1))
        #expect(link.ids(openedAt: 0).last == next)
    }

    // MARK: Messages before their channel

    @Test func messagesThatOvertookTheirAnnouncementWait() throws {
        let link = try connected()
        for number in 0..<3 { try send(.text, ByteBuffer(string: "\(number)"), on: 2, isUnordered: true, link) }
        #expect(link.messages(at: 1).isEmpty)
        try send(.dcep, announcement(), on: 2, link)
        #expect(link.messages(at: 1).map { String(buffer: $0.bytes) } == ["0", "1", "2"])
        #expect(link.ends[1].orphans.isEmpty)
    }

    @Test func messagesOfNoChannelAreForgotten() throws {
        let link = try connected()
        for stream in 0..<UInt16(500) { try send(.binary, pattern(2000), on: stream, link, run: stream % 50 == 0) }
        link.run(for: .seconds(1))
        #expect(link.ends[1].statistics.messagesDropped >= 500 - UInt64(Limits.orphanMessages))
        link.run(for: .seconds(6))
        try send(.dcep, announcement(), on: 0, link)
        try send(.text, ByteBuffer(string: "fresh"), on: 2, isUnordered: true, link)
        try send(.dcep, announcement(), on: 2, link)
        #expect(link.messages(at: 1).contains(.text(ByteBuffer(string: "fresh"))))
    }

    @Test func aResetOfAStreamNobodyKnowsIsNoTrouble() throws {
        let link = try connected()
        try send(.text, ByteBuffer(string: "x"), on: 12, isUnordered: true, link)
        let sctp = try #require(link.ends[0].sctp)
        sctp.resetStreams([12, 14], now: link.now)
        link.ends[0].due = link.now
        link.run(for: .seconds(2))
        #expect(link.ends[1].refused.count == 0 && link.ends[1].orphans.isEmpty)
        #expect(link.ends.map(\.state) == [.connected, .connected])
    }

    @Test func messagesOnAChannelWhoseOtherEndClosedAreDropped() throws {
        let link = try connected()
        try send(.dcep, announcement(), on: 2, link)
        let sctp = try #require(link.ends[0].sctp)
        sctp.resetStreams([2], now: link.now)
        link.ends[0].due = link.now
        link.run(for: .milliseconds(30))
        try send(.text, ByteBuffer(string: "late"), on: 2, link)
        #expect(link.messages(at: 1).isEmpty)
        #expect(link.closes(at: 1).count == 1)
    }

    // MARK: Addresses

    @Test func onlyProvedAddressesAreBelieved() throws {
        let link = try connected()
        try send(.dcep, announcement(), on: 2, link)
        let stranger = TransportAddress(.v4(IPv4Address(0xC633_6401)), port: 53)
        // A record that would close the connection, one that looks like data, and what is no DTLS at all.
        for text in ["15", "17 02 00000001 0002 00000000 03 00000035 61", "80c80000", "40", "", "14", "3f"] {
            link.inject(try hex(text), to: 1, from: stranger)
        }
        // The first bytes of STUN that is not.
        link.inject(try hex("00010000"), to: 1, from: stranger)
        link.inject(try hex("000100002112a442000000000000000000000000"), to: 1, from: stranger)
        link.run(for: .seconds(1))
        #expect(link.ends[1].state == .connected && link.messages(at: 1).isEmpty)
        #expect(link.ends[1].statistics.datagramsDropped >= 4)
        #expect(link.ends[1].usable.count == 1)
    }

    /// RFC 7675 §5.1: consent rests on what only the remote can say. The first byte of a record is nothing of the kind.
    @Test func whatOnlyLooksLikeTheRemotesKeepsNoDeadPathAlive() throws {
        let link = try connected()
        link.faults.loss = 100
        for _ in 0..<60 {
            for end in 0...1 {
                for text in ["18ff", "16", "3f00"] {
                    link.inject(try hex(text), to: end, from: link.addresses[1 - end])
                }
            }
            link.run(for: .seconds(1))
        }
        #expect(link.ends.map(\.state) == [.failed, .failed])
        for end in 0...1 { #expect(link.outputs(of: end).contains(.state(.disconnected))) }
    }

    @Test func aHelloFromNowhereMakesNoEngine() throws {
        let link = VirtualLink()
        link.ends[1].start(remote: link.parameters(of: 0), now: link.now)
        let hello = ByteBuffer(bytes: [22] + [UInt8](repeating: 7, count: 32))
        for port in 1...2000 {
            link.inject(hello, to: 1, from: TransportAddress(.v4(IPv4Address(0xC633_6401)), port: UInt16(port)))
        }
        #expect(link.ends[1].dtls == nil && link.ends[1].early.isEmpty)
        #expect(link.datagrams == 0)
        link.ends[0].start(remote: link.parameters(of: 1), now: link.now)
        link.run(for: .seconds(5)) { $0.ends.allSatisfy { $0.state == .connected } }
        #expect(link.ends.map(\.state) == [.connected, .connected])
    }

    @Test func randomDatagramsOnAProvedPathNeverTrap() throws {
        let link = try connected()
        var entropy = Entropy.seeded(7983)
        for _ in 0..<5000 {
            let count = Int.random(in: 0...80, using: &entropy)
            var bytes = entropy.bytes(count)
            // Mostly such as get through to SCTP's stand-in.
            if count > 2, Bool.random(using: &entropy) {
                (bytes[0], bytes[1]) = (23, UInt8.random(in: 0...8, using: &entropy))
            }
            if bytes.first == 21 { continue }
            link.inject(ByteBuffer(bytes: bytes), to: 1, from: link.addresses[0])
        }
        #expect(link.ends[1].table.count <= Limits.dataChannels)
    }
}
