import NIOCore
import Node
import Simulator
import Testing
import Wire

/// What a person hears when the way into the network leads nowhere: the reason, in words to act on.
@Suite struct BootstrapReasonTests {
    private static func reasons(_ network: Simulator, at node: Int) -> [String] {
        network.connections(at: node).filter { $0.state == .failed }.compactMap(\.reason)
    }

    private static func told(_ network: Simulator, at node: Int) -> [String] {
        (network.events[node] ?? []).compactMap { entry in
            switch entry.event {
            case .log(let level, let text) where level >= .notice: text
            case .relay(let event): event.words
            default: nil
            }
        }
    }

    private static func full(_ address: Multiaddr?, of node: Int, in network: Simulator) throws -> Multiaddr {
        let address = try #require(address)
        return address.peerID == nil ? try address.appending(network.peerID(of: node)) : address
    }

    @Test func blockedUDPIsSuspected() throws {
        let network = Simulator(seed: 51)
        let server = try network.addNode()
        let address = try Self.full(network.directAddress(of: server), of: server, in: network)
        network.carries = { _, _ in false }
        let person = try network.addNode { $0.bootstrap = [address] }
        network.run(for: .seconds(60))
        let told = Self.told(network, at: person)
        #expect(told.contains { $0.contains("was not reached") && $0.contains("UDP is blocked") }, "\(told)")
        #expect(told.contains { $0.hasPrefix("the peers you named: none was reached") })
    }

    @Test func aCerthashThatDoesNotMatchIsNamed() throws {
        let network = Simulator(seed: 52)
        let (server, other) = (try network.addNode(), try network.addNode())
        let right = try Self.full(network.directAddress(of: server), of: server, in: network)
        let wrong = try Self.full(network.directAddress(of: other), of: other, in: network)
        func hash(_ address: Multiaddr) throws -> Multiaddr.Component {
            try #require(address.components.first { $0.code == .certhash })
        }
        let swapped = try hash(wrong)
        let mixed = try Multiaddr(right.components.map { $0.code == .certhash ? swapped : $0 })
        let person = try network.addNode { $0.bootstrap = [mixed] }
        network.run(for: .seconds(60))
        let reasons = Self.reasons(network, at: person)
        #expect(reasons.contains { $0.contains("certhash") && $0.contains("does not match") }, "\(reasons)")
    }

    @Test func aFullRelayIsSaidToBeFull() throws {
        let network = Simulator(seed: 53)
        let relay = try network.addNode {
            var configuration = RelayConfiguration()
            configuration.reservations = 1
            $0.relay = configuration
        }
        try network.listen(try network.addNode(), through: relay)
        network.run(for: .seconds(2))
        let person = try network.addNode()
        try network.listen(person, through: relay)
        network.run(for: .seconds(5))
        let told = Self.told(network, at: person)
        #expect(told.contains { $0.contains("the relay is full") && $0.contains("trying again in") }, "\(told)")
    }
}
