import NIOCore
import Testing
import Wire

@testable import Node

/// Packets as go-libp2p sends them: recorded from libp2p/zeroconf v2, the library behind its mDNS, called as go-libp2p
/// calls it, on a network of its own. The same program found this project's peers in that recording's session.
@Suite struct GoPacketTests {
    private static let service = "045f703270045f756470056c6f63616c00"
    /// The 40 letters of its instance name, and its host `<name>.local`.
    private static let instance =
        "286162636465666768696a6b6c6d6e6f707172737475767778797a3031323334353637383961626364"
    /// `dnsaddr=/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWGuKH…`, the whole text record.
    private static let text = """
        58646e73616464723d2f6970342f3132372e302e302e312f7463702f343030312f7032702f313244334b6f6f5747754b487463637974624c64\
        4359486532377476597775594a666f6b5375657531557452775a37337a505554
        """
    private static let query = "3e4200000001000000000000" + service + "000c0001"
    /// To a query: PTR in the answers; SRV, TXT and A behind it, with compressed names.
    private static let answer =
        "3e4284000000000100000003" + service + "000c000100000c80002b" + instance + "c00c"
        + "c0270021000100000c800036000000000fa1" + instance + "056c6f63616c00" + "c0270010000100000c800059" + text
        + "c064000100010000007800047f000001"
    /// On its own, when it comes up: everything in the answers, with cache-flush bits.
    private static let announcement =
        "000080000000000500000000" + instance + service + "0021800100000c800036000000000fa1" + instance
        + "056c6f63616c00" + "c00c0010800100000c800059" + text + "c035000c000100000c800002c00c"
        + "095f7365727669636573075f646e732d7364c03a000c000100000c800002c035" + "c056000180010000007800047f000001"

    private func packet(_ hex: String) throws -> ByteBuffer {
        let digits = Array(hex)
        return ByteBuffer(
            bytes: try stride(from: 0, to: digits.count, by: 2).map { index in
                try #require(UInt8(String(digits[index...index + 1]), radix: 16))
            })
    }

    private func outputs(_ mdns: inout MDNS) -> [MDNS.Output] {
        var outputs: [MDNS.Output] = []
        while let output = mdns.poll() { outputs.append(output) }
        return outputs
    }

    @Test("A peer of go is found by its answer and by its announcement", arguments: [answer, announcement])
    func found(hex: String) throws {
        var mdns = MDNS(own: try Fixture.peer(1), entropy: .seeded(1))
        mdns.handle(.packet(try packet(hex), from: "192.0.2.1"), now: Fixture.start)
        let found = outputs(&mdns).compactMap { output in
            if case .discovered(let peer, let addresses) = output { (peer, addresses) } else { nil }
        }
        let (peer, addresses) = try #require(found.first)
        #expect(found.count == 1)
        #expect(peer.description == "12D3KooWGuKHtccytbLdCYHe27tvYwuYJfokSueu1UtRwZ73zPUT")
        #expect(addresses.map { $0.withoutPeerID?.description } == ["/ip4/127.0.0.1/tcp/4001"])
    }

    @Test("The question of go is answered")
    func answered() throws {
        var mdns = MDNS(own: try Fixture.peer(1), entropy: .seeded(1))
        mdns.handle(.announce([try Multiaddr("/ip4/192.0.2.7/tcp/9095")]), now: Fixture.start)
        mdns.handle(.tick, now: Fixture.start)
        _ = outputs(&mdns)
        mdns.handle(.packet(try packet(Self.query), from: "192.0.2.1"), now: Fixture.start + .seconds(2))
        mdns.handle(.tick, now: Fixture.start + .seconds(4))
        let answers = try outputs(&mdns).compactMap { output -> DNSMessage? in
            guard case .send(let packet) = output else { return nil }
            let message = try DNSMessage(packet)
            return message.isResponse ? message : nil
        }
        #expect(answers.contains { $0.answers.contains { $0.name == DNSName("_p2p._udp.local") } })
    }
}
