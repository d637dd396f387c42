import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct HolePunchTests {
    private let start = Fixture.start
    private static let addresses = (1...3).map { Multiaddr(.v4(IPv4Address(0x0808_0800 + $0)), tcp: 4001) }

    private func frame(_ kind: HolePunchMessage.Kind, _ addresses: [Multiaddr] = []) -> ByteBuffer {
        HolePunchMessage(kind, addresses: addresses).frame()
    }

    @Test("Both messages have the bytes of their vectors")
    func vectors() throws {
        let address = try Multiaddr("/ip4/1.2.3.4/tcp/4001")
        for (name, message) in [
            ("DCUtR CONNECT", HolePunchMessage(.connect, addresses: [address])),
            ("DCUtR SYNC", HolePunchMessage(.sync)),
        ] {
            let vector = try #require(try Fixture.vectors("protobuf_messages").first { $0.name.hasPrefix(name) })
            #expect(Array(message.frame().readableBytesView) == Fixture.bytes(hex: vector.hex))
            var bytes = message.frame()
            #expect(try bytes.readHolePunchMessage() == message)
        }
    }

    @Test(
        "Messages of every wrong shape are refused",
        arguments: ["00", "020800", "02086b", "03089002", "0212ff", "ffffff03", "8160"])
    func wrong(_ hex: String) {
        for isInitiator in [true, false] {
            var bytes = ByteBuffer(bytes: Fixture.bytes(hex: hex))
            if isInitiator {
                var machine = HolePunchInitiator(addresses: Self.addresses, now: start)
                guard case .failed = machine.received(&bytes, now: start) else {
                    Issue.record("\(hex) was taken")
                    return
                }
            } else {
                var machine = HolePunchResponder(addresses: Self.addresses, now: start)
                guard case .failed = machine.received(&bytes, now: start) else {
                    Issue.record("\(hex) was taken")
                    return
                }
            }
        }
    }

    @Test("Of many addresses few are read, and few are sent")
    func manyAddresses() throws {
        let many = (0..<100).map { Multiaddr(.v4(IPv4Address(0x0808_0800 + $0)), tcp: 4001) }
        var bytes = frame(.connect, many)
        #expect(try bytes.readHolePunchMessage()?.addresses.count == Limits.holePunchAddressesRead)
        var opening = HolePunchInitiator(addresses: many, now: start).opening
        #expect(try opening.readHolePunchMessage()?.addresses.count == Limits.holePunchAddresses)
        var tooLong = ByteBuffer()
        tooLong.writeUVarint(4097)
        #expect(throws: HolePunchError.framing(.tooLong(4097, limit: 4096))) { try tooLong.readHolePunchMessage() }
    }

    @Test("The initiator dials half a round trip after SYNC, however CONNECT is cut", arguments: [1, 7, 100])
    func initiator(_ size: Int) {
        var machine = HolePunchInitiator(addresses: Self.addresses, now: start)
        let answered = start + .milliseconds(80)
        let actions = Fixture.feed(frame(.connect, Self.addresses), by: size, none: .none) {
            machine.received(&$0, now: answered)
        }
        #expect(actions == [.write(frame(.sync))])
        #expect(machine.deadline == answered + .milliseconds(40))
        #expect(machine.closed() == .none)
        #expect(machine.timedOut(now: answered + .milliseconds(39)) == .none)
        #expect(machine.timedOut(now: answered + .milliseconds(40)) == .dial(Self.addresses))
        #expect(machine.timedOut(now: answered + .seconds(1)) == .none)
        #expect(machine.deadline == .distantFuture)
    }

    @Test("The responder answers CONNECT and dials at SYNC, however they are cut", arguments: [1, 7, 1000])
    func responder(_ size: Int) {
        var machine = HolePunchResponder(addresses: Self.addresses, now: start)
        var both = frame(.connect, [Self.addresses[0]])
        both.writeImmutableBuffer(frame(.sync))
        let actions = Fixture.feed(both, by: size, none: .none) { machine.received(&$0, now: start) }
        #expect(actions == [.write(frame(.connect, Self.addresses)), .dial([Self.addresses[0]])])
        #expect(machine.closed() == .none)
    }

    @Test("SYNC before CONNECT, CONNECT twice, and anything after SYNC")
    func order() {
        var early = HolePunchInitiator(addresses: [], now: start)
        var sync = frame(.sync)
        #expect(early.received(&sync, now: start) == .failed(.unexpected))
        var unasked = HolePunchResponder(addresses: [], now: start)
        sync = frame(.sync)
        #expect(unasked.received(&sync, now: start) == .failed(.unexpected))
        var twice = HolePunchResponder(addresses: [], now: start)
        var connect = frame(.connect)
        _ = twice.received(&connect, now: start)
        connect = frame(.connect)
        #expect(twice.received(&connect, now: start) == .failed(.unexpected))
        var chatty = HolePunchInitiator(addresses: [], now: start)
        connect = frame(.connect)
        _ = chatty.received(&connect, now: start)
        connect = frame(.connect)
        #expect(chatty.received(&connect, now: start) == .failed(.unexpected))
    }

    @Test("Silence and the end fail both sides, once")
    func ends() {
        let late = start + Limits.holePunchTimeout
        var asking = HolePunchInitiator(addresses: [], now: start)
        #expect(asking.timedOut(now: late - .milliseconds(1)) == .none)
        #expect(asking.timedOut(now: late) == .failed(.timedOut))
        #expect(asking.closed() == .none)
        var left = HolePunchInitiator(addresses: [], now: start)
        #expect(left.closed() == .failed(.closed))
        #expect(left.timedOut(now: late) == .none)
        var waiting = HolePunchResponder(addresses: [], now: start)
        #expect(waiting.timedOut(now: late) == .failed(.timedOut))
        #expect(waiting.closed() == .none)
        var alone = HolePunchResponder(addresses: [], now: start)
        #expect(alone.closed() == .failed(.closed))
        #expect(alone.timedOut(now: late) == .none)
    }

    @Test("No bytes make either trap", arguments: 0..<100)
    func mutations(_ seed: UInt64) {
        var entropy = Entropy.seeded(seed)
        var bytes = Array(frame(.connect, Self.addresses).readableBytesView)
        for _ in 0..<3 {
            bytes[Int.random(in: bytes.indices, using: &entropy)] = UInt8.random(in: .min ... .max, using: &entropy)
        }
        var inbox = ByteBuffer(bytes: bytes)
        var initiator = HolePunchInitiator(addresses: [], now: start)
        _ = initiator.received(&inbox, now: start)
        inbox = ByteBuffer(bytes: bytes)
        var responder = HolePunchResponder(addresses: [], now: start)
        _ = responder.received(&inbox, now: start)
        _ = responder.received(&inbox, now: start)
    }
}
