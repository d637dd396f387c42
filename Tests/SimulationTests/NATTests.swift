import NIOCore
import Testing
import Wire

@testable import Simulator

/// The NATs of the virtual internet, one datagram at a time.
@Suite struct NATTests {
    private static let inside = at("10.0.0.1", 4000)
    private static let known = at("10.2.0.1", 3478)
    private static let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func at(_ text: String, _ port: UInt16) -> TransportAddress {
        TransportAddress(IPAddress(text) ?? .v4(IPv4Address(0)), port: port)
    }

    /// Who may answer: the address written to, another port of it, somebody else.
    @Test(arguments: [
        (NATBehaviour.fullCone, [true, true, true]), (.addressRestricted, [true, true, false]),
        (.portRestricted, [true, false, false]), (.symmetric, [true, false, false]),
        (.withoutDatagrams, [false, false, false]),
    ])
    func filteringIsAsItsNameSays(behaviour: NATBehaviour, passes: [Bool]) {
        var nat = NAT(behaviour, outside: Self.at("10.1.0.1", 0).ip)
        let seen = nat.left(from: Self.inside, to: Self.known, now: Self.now)
        let remotes = [Self.known, Self.at("10.2.0.1", 9), Self.at("10.2.0.9", 3478)]
        #expect(remotes.map { nat.arrived(from: $0, at: seen?.port ?? 0, now: Self.now) == Self.inside } == passes)
    }

    @Test func onlyTheSymmetricShowsEveryRemoteAnotherPort() {
        for behaviour in [NATBehaviour.fullCone, .addressRestricted, .portRestricted, .symmetric] {
            var nat = NAT(behaviour, outside: Self.at("10.1.0.1", 0).ip)
            let one = nat.left(from: Self.inside, to: Self.known, now: Self.now)
            let other = nat.left(from: Self.inside, to: Self.at("10.2.0.2", 3478), now: Self.now)
            #expect((one != other) == (behaviour == .symmetric))
            #expect(one == nat.left(from: Self.inside, to: Self.known, now: Self.now))
        }
    }

    @Test func mappingsEndWithTheirTime() {
        var nat = NAT(.fullCone, outside: Self.at("10.1.0.1", 0).ip)
        let first = nat.left(from: Self.inside, to: Self.known, now: Self.now)
        let later = Self.now + .seconds(59)
        #expect(nat.arrived(from: Self.known, at: first?.port ?? 0, now: later) == Self.inside)
        let over = Self.now + .seconds(60)
        #expect(nat.arrived(from: Self.known, at: first?.port ?? 0, now: over) == nil)
        #expect(nat.left(from: Self.inside, to: Self.known, now: over) != first)
        nat.forget()
        #expect(nat.left(from: Self.inside, to: Self.known, now: over) != first)
    }

    @Test func twoLevelsTranslateTwice() {
        var internet = VirtualInternet()
        let carrier = internet.addNAT(.portRestricted)
        let home = internet.addNAT(.portRestricted, behind: carrier)
        internet.place(Self.inside.ip, in: home)
        let out = internet.left(from: Self.inside, to: Self.known, now: Self.now)
        #expect(out?.source.ip == internet.outsideAddress(of: carrier))
        guard let out else { return }
        let back = VirtualInternet.Transit(source: Self.known, target: out.source)
        #expect(internet.arrived(back, now: Self.now) == Self.inside)
        let stranger = VirtualInternet.Transit(source: Self.at("10.2.0.9", 1), target: out.source)
        #expect(internet.arrived(stranger, now: Self.now) == nil)
        // Nobody outside can write to the inside address itself, nor dial it.
        #expect(internet.left(from: Self.known, to: Self.inside, now: Self.now) == nil)
        #expect(internet.seenByTCP(from: Self.known.ip, to: Self.inside.ip) == nil)
        #expect(internet.seenByTCP(from: Self.inside.ip, to: Self.known.ip) == internet.outsideAddress(of: carrier))
    }

    @Test func twoBehindOneNATMeetOutsideOnlyIfItHairpins() {
        for hairpins in [false, true] {
            var behaviour = NATBehaviour.fullCone
            behaviour.hairpins = hairpins
            var internet = VirtualInternet()
            let home = internet.addNAT(behaviour)
            let neighbour = Self.at("10.0.0.2", 4000)
            for address in [Self.inside, neighbour] { internet.place(address.ip, in: home) }
            guard let seen = internet.left(from: neighbour, to: Self.known, now: Self.now)?.source else { return }
            let transit = internet.left(from: Self.inside, to: seen, now: Self.now)
            #expect(transit.flatMap { internet.arrived($0, now: Self.now) } == (hairpins ? neighbour : nil))
            // At home they need no NAT.
            let direct = internet.left(from: Self.inside, to: neighbour, now: Self.now)
            #expect(direct?.source == Self.inside && direct?.target == neighbour)
        }
    }
}
