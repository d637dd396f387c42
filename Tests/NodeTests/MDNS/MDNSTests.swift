import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct MDNSTests {
    private let start = Fixture.start

    private func drain(_ mdns: inout MDNS) -> [MDNS.Output] {
        var outputs: [MDNS.Output] = []
        while let output = mdns.poll() { outputs.append(output) }
        return outputs
    }

    private func packets(_ mdns: inout MDNS) throws -> [DNSMessage] {
        try drain(&mdns).compactMap { output in
            guard case .send(let packet) = output else { return nil }
            #expect(packet.readableBytes <= Limits.mdnsPacketSent)
            return try DNSMessage(packet)
        }
    }

    private func machine(_ number: UInt8, services: [String] = MDNS.defaultServices) throws -> MDNS {
        MDNS(own: try Fixture.peer(number), services: services, entropy: .seeded(UInt64(number)))
    }

    private func query(_ name: String, type: UInt16 = DNSMessage.Kind.ptr) throws -> ByteBuffer {
        DNSMessage(isResponse: false, questions: [.init(try #require(DNSName(name)), type: type)]).packet
    }

    private func response(_ strings: [String], inAnswers: Bool = true, timeToLive: UInt32 = 120) throws -> ByteBuffer {
        let name = try #require(DNSName("somebody._p2p._udp.local"))
        let record = DNSMessage.Record(name, timeToLive: timeToLive, data: .txt(strings.map { Array($0.utf8) }))
        return DNSMessage(
            isResponse: true, answers: inAnswers ? [record] : [], additionals: inAnswers ? [] : [record]
        ).packet
    }

    @Test("It asks for both services at once, then after 10, 20, 40 and 60 seconds")
    func queries() throws {
        var mdns = try machine(1)
        #expect(mdns.deadline <= start)
        mdns.handle(.tick, now: start)
        let names = try packets(&mdns).flatMap(\.questions).map(\.name.description)
        #expect(names == ["_p2p._udp.local.", "universal-connectivity.local."])
        var last = start
        for seconds in [10, 20, 40, 60, 60] as [Int64] {
            let due = mdns.deadline
            let wait = (due - last).nanoseconds
            #expect((seconds * 900_000_000...seconds * 1_100_000_000).contains(wait))
            mdns.handle(.tick, now: due - .nanoseconds(1))
            #expect(drain(&mdns).isEmpty)
            mdns.handle(.tick, now: due)
            #expect(drain(&mdns).count == 2)
            last = due
        }
    }

    @Test("Two machines find each other under each service", arguments: MDNS.defaultServices)
    func pair(service: String) throws {
        var asker = try machine(1, services: [service])
        var answerer = try machine(2, services: [service])
        answerer.handle(.announce([try Multiaddr("/ip4/192.168.1.2/tcp/4001")]), now: start)
        _ = drain(&answerer)
        answerer.handle(.tick, now: start + .seconds(1))
        _ = drain(&answerer)
        let now = start + .seconds(5)
        asker.handle(.tick, now: now)
        for case .send(let packet) in drain(&asker) { answerer.handle(.packet(packet, from: "a"), now: now) }
        #expect(drain(&answerer).isEmpty, "it waits a little")
        let due = answerer.deadline
        #expect(due <= now + .milliseconds(120))
        answerer.handle(.tick, now: due)
        var found: [MDNS.Output] = []
        for case .send(let packet) in drain(&answerer) {
            asker.handle(.packet(packet, from: "b"), now: due)
            answerer.handle(.packet(packet, from: "b"), now: due)
            found += drain(&asker)
        }
        let peer = try Fixture.peer(2)
        #expect(found == [.discovered(peer, [try Multiaddr("/ip4/192.168.1.2/tcp/4001/p2p/\(peer)")])])
        #expect(drain(&answerer).isEmpty, "it ignores itself")
    }

    @Test("An answer has what a DNS-SD library needs: PTR, SRV, TXT and host addresses")
    func answer() throws {
        var mdns = try machine(1, services: ["_p2p._udp.local"])
        mdns.handle(
            .announce([try Multiaddr("/ip4/127.0.0.1/tcp/1"), try Multiaddr("/ip6/fe80::1/tcp/1")]), now: start)
        _ = drain(&mdns)
        mdns.handle(.tick, now: start + .milliseconds(120))
        let message = try #require(try packets(&mdns).first)
        #expect(message.isResponse)
        let service = try #require(DNSName("_p2p._udp.local"))
        guard message.answers.count == 1, case .ptr(let instance) = message.answers[0].data,
            message.additionals.count == 4, case .srv(4001, let host) = message.additionals[0].data,
            case .txt(let strings) = message.additionals[1].data
        else {
            Issue.record("records are missing: \(message)")
            return
        }
        #expect(message.answers[0].name == service)
        #expect(!message.answers[0].flush)
        #expect(instance.parent == service)
        #expect((32...63).contains(instance.labels[0].count))
        #expect(message.additionals[0].name == instance)
        #expect(message.additionals[1].name == instance)
        #expect(strings.map { String(decoding: $0, as: UTF8.self) }.last?.hasPrefix("dnsaddr=/ip4/127.0.0.1/") == true)
        #expect(message.additionals[2].name == host)
        #expect(message.additionals[2].data == .aaaa([0xFE, 0x80] + [UInt8](repeating: 0, count: 13) + [1]))
        #expect(message.additionals[3].data == .a([127, 0, 0, 1]))
    }

    @Test("Many addresses are cut to one packet, useless ones left out")
    func manyAddresses() throws {
        var mdns = try machine(1, services: ["_p2p._udp.local"])
        var addresses = try (0..<60).map { try Multiaddr("/ip4/10.0.0.\($0)/tcp/4001") }
        addresses.insert(try Multiaddr("/ip4/0.0.0.0/tcp/4001"), at: 0)
        mdns.handle(.announce(addresses), now: start)
        _ = drain(&mdns)
        mdns.handle(.tick, now: start + .milliseconds(120))
        let message = try #require(try packets(&mdns).first)
        guard case .txt(let strings) = message.additionals[1].data else { return }
        #expect(strings.count >= 8)
        #expect(String(decoding: strings[0], as: UTF8.self).hasPrefix("dnsaddr=/ip4/10.0.0.0/"))
    }

    @Test("Without addresses there is nothing to say")
    func nothing() throws {
        var mdns = try machine(1)
        mdns.handle(.tick, now: start)
        _ = drain(&mdns)
        mdns.handle(.packet(try query("_p2p._udp.local"), from: "x"), now: start)
        mdns.handle(.tick, now: start + .seconds(2))
        #expect(drain(&mdns).isEmpty)
    }

    @Test("Twenty questions a second bring one answer a second, and the last of them is answered")
    func rateLimit() throws {
        var mdns = try machine(1, services: ["_p2p._udp.local"])
        mdns.handle(.announce([try Multiaddr("/ip4/10.0.0.1/tcp/1")]), now: start)
        var answers = 0
        for step in 0..<60 {
            let now = start + .milliseconds(Int64(step) * 50)
            mdns.handle(.packet(try query("_p2p._udp.local"), from: "x"), now: now)
            answers += try packets(&mdns).filter(\.isResponse).count
        }
        #expect(answers == 3)
        mdns.handle(.tick, now: mdns.deadline)
        #expect(try packets(&mdns).filter(\.isResponse).count == 1)
    }

    @Test(
        "It answers for its services, its own name and the list of services, and for nothing else",
        arguments: [
            ("_p2p._udp.local", true), ("_P2P._udp.LOCAL", true), ("universal-connectivity.local", true),
            ("_services._dns-sd._udp.local", true), ("_http._tcp.local", false), ("local", false),
            ("x._p2p._udp.local", false),
        ])
    func questions(name: String, isAnswered: Bool) throws {
        var mdns = try machine(1)
        mdns.handle(.announce([try Multiaddr("/ip4/10.0.0.1/tcp/1")]), now: start)
        mdns.handle(.tick, now: start + .seconds(2))
        _ = drain(&mdns)
        let now = start + .seconds(4)
        mdns.handle(.packet(try query(name), from: "x"), now: now)
        mdns.handle(.tick, now: now + .milliseconds(120))
        #expect(try packets(&mdns).count == (isAnswered ? 1 : 0))
    }

    @Test("Addresses are taken from TXT in answers and in additionals", arguments: [true, false])
    func styles(inAnswers: Bool) throws {
        var mdns = try machine(1)
        let other = try Fixture.peer(2)
        let third = try Fixture.peer(3)
        let packet = try response(
            [
                "dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/\(other)", "dnsaddr=/ip4/10.0.0.3/tcp/1/p2p/\(third)", "junk",
                "dnsaddr=nonsense", "dnsaddr=/ip4/10.0.0.4/tcp/1", "dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/\(other)",
                "dnsaddr=/ip4/10.0.0.5/tcp/1/p2p/\(other)",
            ], inAnswers: inAnswers)
        mdns.handle(.packet(packet, from: "x"), now: start)
        let found = drain(&mdns).filter { if case .discovered = $0 { true } else { false } }
        #expect(
            found == [
                .discovered(
                    other,
                    [
                        try Multiaddr("/ip4/10.0.0.2/tcp/1/p2p/\(other)"),
                        try Multiaddr("/ip4/10.0.0.5/tcp/1/p2p/\(other)"),
                    ]),
                .discovered(third, [try Multiaddr("/ip4/10.0.0.3/tcp/1/p2p/\(third)")]),
            ])
    }

    @Test("The same announcement is reported once in a while, a changed one at once, one taken back never")
    func repeats() throws {
        var mdns = try machine(1)
        let other = try Fixture.peer(2)
        func found(_ port: Int, at time: TimeAmount, timeToLive: UInt32 = 120) throws -> Int {
            let packet = try response(["dnsaddr=/ip4/10.0.0.2/tcp/\(port)/p2p/\(other)"], timeToLive: timeToLive)
            mdns.handle(.packet(packet, from: "x"), now: start + time)
            return drain(&mdns).count { if case .discovered = $0 { true } else { false } }
        }
        #expect(try found(1, at: .zero) == 1)
        #expect(try found(1, at: .seconds(1)) == 0)
        #expect(try found(2, at: .seconds(2)) == 1)
        #expect(try found(2, at: .seconds(7)) == 1)
        #expect(try found(2, at: .seconds(8), timeToLive: 0) == 0)
        #expect(try found(2, at: .seconds(9)) == 1)
    }

    @Test("A flood of peers is bounded by the budget of packets and by the table")
    func flood() throws {
        var mdns = try machine(1)
        var found = 0
        for number in 0..<1000 {
            let peer = try KeyPair(seed: Array(repeating: 9, count: 30) + [UInt8(number / 256), UInt8(number % 256)])
            let packet = try response(["dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/\(peer.peerID)"])
            mdns.handle(.packet(packet, from: "host \(number % 10)"), now: start)
            found += drain(&mdns).count { if case .discovered = $0 { true } else { false } }
        }
        #expect(found == Limits.mdnsPacketsPerSecond)
        var one = try machine(1)
        for _ in 0..<1000 { one.handle(.packet(try query("_p2p._udp.local"), from: "noisy"), now: start) }
        one.handle(
            .packet(try response(["dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/\(try Fixture.peer(2))"]), from: "quiet"), now: start
        )
        #expect(drain(&one).contains { if case .discovered = $0 { true } else { false } })
    }

    @Test("What is no DNS is dropped without a word", arguments: [0, 1, 11, 12, 100, 9001])
    func junk(count: Int) throws {
        var mdns = try machine(1)
        mdns.handle(.tick, now: start)
        _ = drain(&mdns)
        var entropy = Entropy.seeded(UInt64(count))
        mdns.handle(.packet(ByteBuffer(bytes: entropy.bytes(count)), from: "x"), now: start)
        #expect(drain(&mdns).isEmpty)
    }
}
