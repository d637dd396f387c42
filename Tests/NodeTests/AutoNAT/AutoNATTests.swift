import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct AutoNATMessageTests {
    private func bytes(_ name: String) throws -> [UInt8] {
        let vector = try #require(try Fixture.vectors("protobuf_messages").first { $0.name.hasPrefix(name) })
        return Fixture.bytes(hex: vector.hex)
    }

    private static let nonce: UInt64 = 1_311_768_467_463_790_320

    @Test("Every message has the bytes of its vector, and is read back")
    func vectors() throws {
        let address = try Multiaddr("/ip4/1.2.3.4/tcp/4001")
        let messages: [(String, AutoNATMessage)] = [
            ("autonat v2 DialRequest", .dialRequest([address], nonce: Self.nonce)),
            ("autonat v2 DialResponse", .dialResponse(.ok, index: 0, .ok)),
            ("autonat v2 DialDataRequest", .dialDataRequest(index: 1, bytes: 30_000)),
            ("autonat v2 DialDataResponse", .dialDataResponse(ByteBuffer(repeating: 0, count: 16))),
        ]
        for (name, message) in messages {
            let expected = try bytes(name)
            var read = ByteBuffer(bytes: expected)
            #expect(try read.readAutoNATMessage() == message, "\(name)")
            // The vectors of proto3 optional fields write zeros that we leave out.
            var ours = message.frame()
            #expect(try ours.readAutoNATMessage() == message, "\(name)")
            if !name.hasPrefix("autonat v2 DialResponse") {
                #expect(Array(message.frame().readableBytesView) == expected, "\(name)")
            }
        }
        #expect(Array(DialBackMessage.frame(nonce: Self.nonce).readableBytesView) == (try bytes("autonat v2 DialBack")))
        #expect(Array(DialBackMessage.response.readableBytesView) == [0])
    }

    @Test("Addresses that cannot be read keep their place, and ten thousand are cut off")
    func addresses() throws {
        var inner = ByteBuffer()
        inner.writeProtobuf(field: 1, bytes: [0xFF, 0x01])
        for _ in 0..<10_000 { inner.writeProtobuf(field: 1, bytes: try Multiaddr("/ip4/8.8.8.8/tcp/1").bytes) }
        var message = ByteBuffer()
        message.writeProtobuf(field: 1, bytes: inner)
        guard case .dialRequest(let addresses, 0) = try AutoNATMessage(protobuf: message) else {
            Issue.record("no request")
            return
        }
        #expect(addresses.count == Limits.autoNATAddresses && addresses[0] == nil && addresses[1] != nil)
    }

    @Test(
        "Messages of every wrong shape are refused",
        arguments: ["", "0a", "0801", "12020801", "12040863", "120318e707", "0a021001", "1a0608ffffffff7f", "ff"])
    func wrong(_ hex: String) throws {
        #expect(throws: ProtobufError.self) {
            try AutoNATMessage(protobuf: ByteBuffer(bytes: Fixture.bytes(hex: hex)))
        }
    }

    @Test("No bytes make it trap", arguments: 0..<200)
    func mutations(_ seed: UInt64) throws {
        var entropy = Entropy.seeded(seed)
        let start = AutoNATMessage.dialRequest([try Multiaddr("/ip4/8.8.8.8/tcp/1"), nil], nonce: 7).protobuf
        var bytes = Array(start.readableBytesView)
        for _ in 0..<4 {
            bytes[Int.random(in: bytes.indices, using: &entropy)] = UInt8.random(in: .min ... .max, using: &entropy)
        }
        _ = try? AutoNATMessage(
            protobuf: ByteBuffer(bytes: bytes.prefix(Int.random(in: 0...bytes.count, using: &entropy))))
    }
}

@Suite struct AutoNATClientTests {
    private let start = Fixture.start

    private func client() throws -> AutoNATClient {
        AutoNATClient(
            addresses: [try Multiaddr("/ip4/8.8.8.8/tcp/1"), try Multiaddr("/ip4/9.9.9.9/tcp/1")], nonce: 7, now: start)
    }

    @Test("A verdict is taken, however it is cut", arguments: [1, 3, 100])
    func verdict(_ size: Int) throws {
        var client = try client()
        let answer = AutoNATMessage.dialResponse(.ok, index: 1, .dialError).frame()
        let actions = Fixture.feed(answer, by: size, none: .none) { client.received(&$0) }
        #expect(actions == [.dialed(index: 1, .dialError)])
        #expect(client.closed() == .none)
        #expect(client.deadline == .distantFuture)
    }

    @Test("Data is paid once, to the byte, in messages that the server takes", arguments: [1, 4096, 30_000, 100_000])
    func payment(_ bytes: Int) throws {
        var client = try client()
        var demand = AutoNATMessage.dialDataRequest(index: 0, bytes: UInt64(bytes)).frame()
        guard case .write(var paid) = client.received(&demand) else {
            Issue.record("nothing is paid")
            return
        }
        var total = 0
        while case .dialDataResponse(let data)? = try paid.readAutoNATMessage() {
            #expect(data.readableBytes <= Limits.autoNATDataBlock)
            total += data.readableBytes
        }
        #expect(total == bytes && paid.readableBytes == 0)
        var again = AutoNATMessage.dialDataRequest(index: 0, bytes: 1).frame()
        #expect(client.received(&again) == .failed(.unexpected))
    }

    @Test("What a server must not say")
    func wrong() throws {
        let address = try Multiaddr("/ip4/8.8.8.8/tcp/1")
        let cases: [(AutoNATMessage, AutoNATError)] = [
            (.dialDataRequest(index: 0, bytes: 100_001), .tooMuchData(100_001)),
            (.dialDataRequest(index: 0, bytes: .max), .tooMuchData(.max)),
            (.dialDataRequest(index: 2, bytes: 1), .unexpected), (.dialResponse(.ok, index: 2, .ok), .unexpected),
            (.dialResponse(.ok, index: 0, .unused), .unexpected), (.dialRequest([address], nonce: 1), .unexpected),
            (.dialDataResponse(ByteBuffer(bytes: [1])), .unexpected),
        ]
        for (message, error) in cases {
            var client = try client()
            var frame = message.frame()
            #expect(client.received(&frame) == .failed(error), "\(message)")
        }
        var client = try client()
        var long = ByteBuffer()
        long.writeUVarint(8193)
        #expect(client.received(&long) == .failed(.framing(.tooLong(8193, limit: 8192))))
    }

    @Test("Refusal, the end and silence end it")
    func ends() throws {
        for status in [AutoNATStatus.internalError, .rejected, .dialRefused] {
            var client = try client()
            var frame = AutoNATMessage.dialResponse(status, index: 0, .unused).frame()
            #expect(client.received(&frame) == .refused(status))
        }
        var closed = try client()
        #expect(closed.closed() == .failed(.closed))
        var silent = try client()
        #expect(silent.timedOut(now: start + .seconds(34)) == .none)
        #expect(silent.timedOut(now: start + .seconds(35)) == .failed(.timedOut))
    }
}

@Suite struct AutoNATServerTests {
    private let start = Fixture.start

    private func asked(_ server: inout AutoNATServer) throws {
        let addresses: [Multiaddr?] = [try Multiaddr("/ip4/8.8.8.8/tcp/1"), nil]
        var frame = AutoNATMessage.dialRequest(addresses, nonce: 7).frame()
        #expect(server.received(&frame, now: start) == .requested(addresses, nonce: 7))
    }

    @Test("A dial whose address is the asker's costs nothing")
    func free() throws {
        var server = AutoNATServer(now: start)
        try asked(&server)
        #expect(server.decide(.dial(index: 0), now: start) == .dial(try Multiaddr("/ip4/8.8.8.8/tcp/1"), nonce: 7))
        #expect(server.closed() == .none)
        #expect(server.dialed(.ok) == .finish(AutoNATMessage.dialResponse(.ok, index: 0, .ok).frame()))
        #expect(server.dialed(.ok) == .none)
    }

    @Test("Another address is dialled when all data is there, and not before", arguments: [100, 1000, 4096])
    func paid(_ block: Int) throws {
        var server = AutoNATServer(now: start)
        try asked(&server)
        let demand = AutoNATMessage.dialDataRequest(index: 0, bytes: 30_000).frame()
        #expect(server.decide(.demand(index: 0, bytes: 30_000), now: start) == .write(demand))
        var sent = 0
        while sent < 30_000 {
            let count = min(block, 30_000 - sent)
            var frame = AutoNATMessage.dialDataResponse(ByteBuffer(repeating: 1, count: count)).frame()
            sent += count
            let expected: AutoNATServer.Action =
                sent < 30_000 ? .none : .dial(try Multiaddr("/ip4/8.8.8.8/tcp/1"), nonce: 7)
            #expect(server.received(&frame, now: start) == expected)
        }
    }

    @Test("Data in crumbs, in lumps, or none at all is misbehaviour", arguments: [0, 1, 99, 4097])
    func crumbs(_ count: Int) throws {
        var server = AutoNATServer(now: start)
        try asked(&server)
        _ = server.decide(.demand(index: 0, bytes: 30_000), now: start)
        var frame = AutoNATMessage.dialDataResponse(ByteBuffer(repeating: 1, count: count)).frame()
        #expect(server.received(&frame, now: start) == .failed(.unexpected))
    }

    @Test("Messages out of their place")
    func misplaced() throws {
        for message in [
            AutoNATMessage.dialResponse(.ok, index: 0, .ok), .dialDataRequest(index: 0, bytes: 1),
            .dialDataResponse(ByteBuffer(bytes: [1])),
        ] {
            var server = AutoNATServer(now: start)
            var frame = message.frame()
            #expect(server.received(&frame, now: start) == .failed(.unexpected))
            #expect(server.closed() == .none)
        }
        var twice = AutoNATServer(now: start)
        try asked(&twice)
        _ = twice.decide(.dial(index: 0), now: start)
        var frame = AutoNATMessage.dialRequest([], nonce: 7).frame()
        #expect(twice.received(&frame, now: start) == .failed(.unexpected))
    }

    @Test("An address that cannot be read is not dialled, and refusals are told")
    func refusals() throws {
        var server = AutoNATServer(now: start)
        try asked(&server)
        let refused = AutoNATMessage.dialResponse(.dialRefused, index: 0, .unused).frame()
        #expect(server.decide(.dial(index: 1), now: start) == .finish(refused))
        var other = AutoNATServer(now: start)
        try asked(&other)
        let rejected = AutoNATMessage.dialResponse(.rejected, index: 0, .unused).frame()
        #expect(other.decide(.refuse(.rejected), now: start) == .finish(rejected))
    }

    @Test("Slow askers are given up, slow dials are dial errors")
    func deadlines() throws {
        var silent = AutoNATServer(now: start)
        #expect(silent.timedOut(now: start + .seconds(15)) == .failed(.timedOut))
        var dialing = AutoNATServer(now: start)
        try asked(&dialing)
        _ = dialing.decide(.dial(index: 0), now: start)
        #expect(dialing.timedOut(now: start + .seconds(14)) == .none)
        let error = AutoNATMessage.dialResponse(.ok, index: 0, .dialError).frame()
        #expect(dialing.timedOut(now: start + .seconds(15)) == .finish(error))
    }
}

@Suite struct DialBackTests {
    private let start = Fixture.start

    @Test("The nonce is heard, however it is cut", arguments: [1, 4, 10])
    func nonce(_ size: Int) {
        var listener = DialBackListener(now: start)
        let actions = Fixture.feed(DialBackMessage.frame(nonce: .max), by: size, none: .none) { listener.received(&$0) }
        #expect(actions == [.heard(nonce: .max)])
    }

    @Test("What is no nonce fails", arguments: ["00", "020801", "ff ff 03", "03 0a 01 00", "05 09 01 02 03 04"])
    func wrong(_ hex: String) {
        var listener = DialBackListener(now: start)
        var bytes = ByteBuffer(bytes: Fixture.bytes(hex: hex.filter { $0 != " " }))
        guard case .failed = listener.received(&bytes) else {
            Issue.record("taken for a nonce")
            return
        }
    }

    @Test("An answer of no bytes is OK; others, the end and silence are not")
    func answers() {
        for (hex, status) in [("00", AutoNATDialStatus.ok), ("020801", .dialBackError), ("0108", .dialBackError)] {
            var call = DialBackCall(now: start)
            var bytes = ByteBuffer(bytes: Fixture.bytes(hex: hex))
            #expect(call.received(&bytes) == .finished(status))
            #expect(call.closed() == .none)
        }
        var closed = DialBackCall(now: start)
        #expect(closed.closed() == .finished(.dialBackError))
        var silent = DialBackCall(now: start)
        #expect(silent.timedOut(now: start + .seconds(5)) == .finished(.dialBackError))
        var unheard = DialBackListener(now: start)
        #expect(unheard.timedOut(now: start + .seconds(5)) == .failed(.timedOut))
        var left = DialBackListener(now: start)
        #expect(left.closed() == .failed(.closed))
    }
}

@Suite struct AutoNATGuardTests {
    @Test("One peer may ask twelve times a minute, two at once; all together sixty")
    func limits() throws {
        var limits = AutoNATGuard()
        var now = Fixture.start
        let peer = try Fixture.peer(1)
        for _ in 1...2 { #expect(limits.mayAsk(peer, now: now) == true) }
        #expect(limits.mayAsk(peer, now: now) == false)
        limits.ended(peer)
        for _ in 0..<10 {
            #expect(limits.mayAsk(peer, now: now) == true)
            limits.ended(peer)
        }
        #expect(limits.mayAsk(peer, now: now) == false, "twelve in this minute")
        for number in 2...5 as ClosedRange<UInt8> {
            for _ in 0..<12 {
                let other = try Fixture.peer(number)
                #expect(limits.mayAsk(other, now: now) == true)
                limits.ended(other)
            }
        }
        let sixth = try Fixture.peer(6)
        #expect(limits.mayAsk(sixth, now: now) == false, "sixty in this minute")
        now = now + .minutes(1)
        #expect(limits.mayAsk(sixth, now: now) == true)
        for _ in 0..<12 { #expect(limits.mayDemandData(now: now) == true) }
        #expect(limits.mayDemandData(now: now) == false)
        #expect(limits.mayDemandData(now: now + .minutes(1)) == true)
    }
}

@Suite struct AutoNATProbingTests {
    private let start = Fixture.start
    private let address = Multiaddr(.v4(IPv4Address(0x0808_0808)), tcp: 1)

    private func probing(servers: ClosedRange<UInt8>) throws -> AutoNATProbing {
        var probing = AutoNATProbing(entropy: .seeded(1))
        probing.handle(.addresses([address]), now: start)
        for server in servers { probing.handle(.server(try Fixture.peer(server)), now: start) }
        return probing
    }

    /// Lets the probe that is due go out and be answered.
    private func round(
        _ probing: inout AutoNATProbing, _ status: AutoNATDialStatus, isDialedBack: Bool = true
    ) -> [AutoNATProbing.Output] {
        let now = probing.deadline
        probing.handle(.tick, now: now)
        guard case .probe(_, let addresses, let nonce)? = probing.poll() else { return [] }
        #expect(addresses == [address])
        if isDialedBack { #expect(probing.dialedBack(nonce: nonce, onConnectionOf: now) == true) }
        probing.handle(.verdict(index: 0, status), now: now)
        var outputs: [AutoNATProbing.Output] = []
        while let output = probing.poll() { outputs.append(output) }
        return outputs
    }

    @Test("One server decides when it is the only one")
    func one() throws {
        var probing = try probing(servers: 1...1)
        #expect(probing.deadline == start + Limits.autoNATFirst)
        #expect(round(&probing, .ok) == [.changed(address, .public)])
        #expect(probing.overall == .public && probing.reachable == [address])
        #expect(probing.deadline == start + Limits.autoNATFirst + Limits.autoNATAgain)
        #expect(round(&probing, .dialError, isDialedBack: false) == [.changed(address, .private)])
        #expect(probing.overall == .private)
    }

    @Test("Two servers have to agree")
    func two() throws {
        var probing = try probing(servers: 1...2)
        #expect(round(&probing, .dialError, isDialedBack: false).isEmpty)
        #expect(round(&probing, .dialError, isDialedBack: false) == [.changed(address, .private)])
        var divided = try self.probing(servers: 1...2)
        #expect(round(&divided, .dialError, isDialedBack: false).isEmpty)
        #expect(round(&divided, .ok).isEmpty)
        #expect(divided.overall == .unknown)
    }

    @Test("A success without the nonce is worth nothing, and its server is left alone")
    func liar() throws {
        var probing = try probing(servers: 1...1)
        #expect(round(&probing, .ok, isDialedBack: false).isEmpty)
        #expect(probing.overall == .unknown)
        #expect(probing.deadline == start + Limits.autoNATFirst + Limits.autoNATRest)
    }

    @Test("Nonces count once, on a connection made since, and only while they are asked with")
    func nonces() throws {
        var probing = try probing(servers: 1...1)
        let now = probing.deadline
        #expect(probing.dialedBack(nonce: 0, onConnectionOf: now) == false)
        probing.handle(.tick, now: now)
        guard case .probe(_, _, let nonce)? = probing.poll() else {
            Issue.record("no probe")
            return
        }
        #expect(probing.dialedBack(nonce: nonce &+ 1, onConnectionOf: now) == false)
        #expect(probing.dialedBack(nonce: nonce, onConnectionOf: now - .seconds(1)) == false)
        #expect(probing.dialedBack(nonce: nonce, onConnectionOf: now) == true)
        #expect(probing.dialedBack(nonce: nonce, onConnectionOf: now) == false)
        probing.handle(.failed, now: now)
        #expect(probing.dialedBack(nonce: nonce, onConnectionOf: now) == false)
    }

    @Test("Servers that are lost, and addresses that are gone, are forgotten")
    func losses() throws {
        var probing = try probing(servers: 1...1)
        probing.handle(.lost(try Fixture.peer(1)), now: start)
        #expect(probing.deadline == .distantFuture)
        probing.handle(.server(try Fixture.peer(2)), now: start)
        probing.handle(.tick, now: probing.deadline)
        guard case .probe? = probing.poll() else {
            Issue.record("no probe")
            return
        }
        probing.handle(.addresses([]), now: start)
        probing.handle(.verdict(index: 0, .dialError), now: start + .seconds(4))
        #expect(probing.poll() == nil)
        #expect(probing.overall == .unknown && probing.deadline == .distantFuture)
    }

    @Test("Ten thousand addresses, and ten thousand servers, are cut off")
    func many() throws {
        var probing = AutoNATProbing(entropy: .seeded(1))
        probing.handle(
            .addresses((0..<10_000).map { Multiaddr(.v4(IPv4Address(0x0808_0000 + $0)), tcp: 1) }), now: start)
        var entropy = Entropy.seeded(2)
        for _ in 0..<10_000 {
            probing.handle(.server(try PeerID(bytes: [0x12, 32] + entropy.bytes(32))), now: start)
        }
        probing.handle(.tick, now: probing.deadline)
        guard case .probe(_, let addresses, _)? = probing.poll() else {
            Issue.record("no probe")
            return
        }
        #expect(addresses.count == Limits.autoNATAsked)
    }
}

@Suite struct ObservedHostsTests {
    @Test("An address counts when several peers see it, and each peer counts once")
    func agreement() throws {
        var hosts = ObservedHosts()
        let (one, other) = (IPAddress.v4(IPv4Address(1)), IPAddress.v4(IPv4Address(2)))
        for _ in 0..<5 { hosts.saw(one, by: try Fixture.peer(1)) }
        #expect(hosts.agreed(by: 2).isEmpty)
        hosts.saw(one, by: try Fixture.peer(2))
        #expect(hosts.agreed(by: 2) == [one])
        hosts.saw(other, by: try Fixture.peer(2))
        #expect(hosts.agreed(by: 2).isEmpty && hosts.agreed(by: 1) == [one, other])
    }

    @Test("One peer that changes its mind does not fill it")
    func bounded() throws {
        var hosts = ObservedHosts()
        for number in 0..<1000 as Range<UInt32> { hosts.saw(.v4(IPv4Address(number)), by: try Fixture.peer(1)) }
        #expect(hosts.agreed(by: 1) == [.v4(IPv4Address(999))])
    }
}
