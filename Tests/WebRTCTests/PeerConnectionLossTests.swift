import ICE
import NIOCore
import PlainEngines
import Testing
import Wire

@testable import WebRTC

/// Whole connections on bad links, in virtual time: nothing lost, nothing twice, order kept, all queues empty at the end.
@Suite struct PeerConnectionLossTests {
    private static let lengths = [30_000, 1, 1200, 0, 16_384, 2500]

    @Test(arguments: [
        LinkFaults(), LinkFaults(loss: 5), LinkFaults(loss: 15, delay: .milliseconds(20)),
        LinkFaults(loss: 30, delay: .milliseconds(20)), LinkFaults(delay: .milliseconds(500)),
        LinkFaults(loss: 10, delay: .milliseconds(250)), LinkFaults(delay: .milliseconds(5), jitter: .milliseconds(60)),
        LinkFaults(duplication: 30, delay: .milliseconds(10)),
        LinkFaults(loss: 20, duplication: 20, delay: .milliseconds(5), jitter: .milliseconds(40)),
    ])
    func channelsOfBothEndsCarryEverythingEachWay(faults: LinkFaults) throws {
        let link = VirtualLink(faults)
        try link.connect()
        var sent: [[[DataChannelMessage]]] = [[], []]
        var own: [[DataChannelID]] = [[], []]
        for end in 0...1 {
            for number in 0..<2 {
                let messages = Self.lengths.enumerated().map { index, length in
                    DataChannelMessage.binary(pattern(length, seed: UInt8(10 * number + index)))
                }
                try link.at(end) { connection, now in
                    let options = DataChannelOptions(label: "\(number)", isOrdered: number == 0)
                    let id = try connection.open(options, now: now)
                    for message in messages { try connection.send(message, on: id, now: now) }
                    own[end].append(id)
                }
                sent[end].append(messages)
            }
        }
        let count = 2 * Self.lengths.count
        link.run(for: .seconds(300)) { $0.messageCounts == [count, count] }
        for end in 0...1 {
            for (id, info) in zip(link.ids(openedAt: end), link.infos(openedAt: end)) where info.isRemote {
                let expected = sent[1 - end][try #require(Int(info.options.label))]
                let received = link.messages(at: end, on: id)
                let isSame = info.options.isOrdered ? received == expected : Set(received) == Set(expected)
                #expect(isSame && received.count == expected.count)
            }
        }
        close(own, of: link)
    }

    /// Each end closes what it opened; nothing is left anywhere.
    private func close(_ own: [[DataChannelID]], of link: VirtualLink) {
        for end in 0...1 { for id in own[end] { link.at(end) { $0.close(id, now: $1) } } }
        link.run(for: .seconds(300)) { $0.ends.allSatisfy { $0.table.count == 0 && $0.unacknowledgedBytes == 0 } }
        for end in 0...1 {
            let connection = link.ends[end]
            #expect(Set(link.closes(at: end)) == Set(own[end] + link.ids(openedAt: end)))
            #expect(link.closes(at: end).count == 4)
            #expect(connection.table.count == 0 && connection.refused.count == 0 && connection.orphans.isEmpty)
            #expect(connection.unacknowledgedBytes == 0 && connection.statistics.messagesDropped == 0)
            link.at(end) { $0.close(now: $1) }
            #expect(link.end(of: end) == .some(nil))
        }
    }

    @Test(arguments: [5, 20])
    func whatNeedNotArriveIsGivenUpAndTheRestKeepsItsOrder(loss: Int) throws {
        let link = VirtualLink(seed: 3, LinkFaults(loss: loss, delay: .milliseconds(20)))
        try link.connect()
        let options = [
            DataChannelOptions(label: "once", isOrdered: false, reliability: .maxRetransmits(0)),
            DataChannelOptions(label: "twice", reliability: .maxRetransmits(1)),
            DataChannelOptions(label: "soon", reliability: .maxPacketLifeTime(100)),
            DataChannelOptions(label: "sure"),
        ]
        let ids = try options.map { options in try link.at(0) { try $0.open(options, now: $1) } }
        link.run(for: .seconds(20)) { $0.ids(openedAt: 0).count == ids.count }
        let numbers = 0..<UInt8(100)
        for number in numbers {
            let message = DataChannelMessage.binary(ByteBuffer(repeating: number, count: 900))
            for id in ids { try link.at(0) { try $0.send(message, on: id, now: $1) } }
            link.run(for: .milliseconds(20))
        }
        link.run(for: .seconds(60)) { $0.ends[0].unacknowledgedBytes == 0 }
        link.run(for: .seconds(1))
        for (id, info) in zip(link.ids(openedAt: 1), link.infos(openedAt: 1)) {
            let received = link.messages(at: 1, on: id).compactMap(\.bytes.readableBytesView.first)
            #expect(Set(received).count == received.count, "\(info.options.label): twice")
            if info.options.isOrdered { #expect(received == received.sorted(), "\(info.options.label): out of order") }
            switch info.options.label {
            case "sure": #expect(received == Array(numbers))
            case "once": #expect(received.count < numbers.count && received.count > numbers.count / 2)
            default: #expect(received.count > numbers.count * 2 / 3)
            }
        }
        #expect(link.ends[0].unacknowledgedBytes == 0)
    }

    // MARK: Addresses

    /// An end that a NAT gives another address, and the kind of the other end.
    struct Move: Sendable, CustomTestStringConvertible {
        let end: Int
        let isLite: Bool
        let seed: UInt64
        let loss: Int

        static let all = (1...2).flatMap { seed in
            [(0, true), (0, false), (1, false)].flatMap { end, isLite in
                [0, 3, 15].map { Move(end: end, isLite: isLite, seed: seed, loss: $0) }
            }
        }
        var testDescription: String {
            "\(end == 0 ? "dialer" : "listener") before a \(isLite ? "lite" : "full") agent, \(loss) % lost, seed \(seed)"
        }
    }

    @Test(arguments: Move.all)
    func aChangeOfAddressLosesNothing(move: Move) throws {
        let link = VirtualLink(
            seed: move.seed, LinkFaults(loss: move.loss, delay: .milliseconds(20)), isLite: move.isLite)
        try link.connect()
        let messages = (0..<6).map { DataChannelMessage.binary(pattern(20_000, seed: $0)) }
        let ids = try (0...1).map { end in try link.at(end) { try $0.open(DataChannelOptions(), now: $1) } }
        func send(_ messages: ArraySlice<DataChannelMessage>) throws {
            for end in 0...1 {
                for message in messages { try link.at(end) { try $0.send(message, on: ids[end], now: $1) } }
            }
        }
        try send(messages[..<3])
        link.run(for: .milliseconds(30))
        // A NAT forgot its mapping and makes another one.
        link.addresses[move.end] = TransportAddress(.v4(IPv4Address(0x0A00_0063)), port: 4999)
        try send(messages[3...])
        link.run(for: .seconds(60)) { $0.messageCounts == [6, 6] }
        for end in 0...1 {
            let isWhole = link.messages(at: end) == messages
            #expect(isWhole, "at \(end): \(link.messageCounts[end])")
            #expect(link.ends[end].state == .connected)
        }
        #expect(link.ends[1 - move.end].selected?.remote == link.addresses[move.end])
    }

    @Test func oneSeedGivesOneTrace() throws {
        func trace() throws -> [PeerConnection.Output] {
            let faults = LinkFaults(loss: 20, duplication: 20, delay: .milliseconds(5), jitter: .milliseconds(40))
            let link = VirtualLink(seed: 9, faults)
            try link.connect()
            let id = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
            try link.at(0) { try $0.send(.binary(pattern(50_000)), on: id, now: $1) }
            link.run(for: .seconds(30))
            return link.outputs(of: 0) + link.outputs(of: 1)
        }
        let isSame = try trace() == trace()
        #expect(isSame)
    }
}
