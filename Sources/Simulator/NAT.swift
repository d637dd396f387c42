package import NIOCore
import Wire

/// How a translator of addresses behaves towards datagrams (RFC 4787 §4, §5).
package struct NATBehaviour: Hashable, Sendable {
    /// What of the remote's address a decision hangs on.
    package enum Dependence: Hashable, Sendable {
        case nothing
        case address
        case addressAndPort
    }

    /// For which remotes an inside address is shown as another outside port.
    package var mapping: Dependence
    /// Who may answer: anybody, an address that was written to, or an address and port.
    package var filtering: Dependence
    /// Whether two behind it reach each other by its outside address.
    package var hairpins = false
    /// How long a mapping lives that nobody sends from. RFC 4787 asks for two minutes, many have thirty seconds.
    package var timeout = TimeAmount.seconds(60)
    /// False: a firewall that lets no UDP out or in.
    package var passesDatagrams = true

    package init(mapping: Dependence, filtering: Dependence) { (self.mapping, self.filtering) = (mapping, filtering) }

    package static let fullCone = NATBehaviour(mapping: .nothing, filtering: .nothing)
    package static let addressRestricted = NATBehaviour(mapping: .nothing, filtering: .address)
    package static let portRestricted = NATBehaviour(mapping: .nothing, filtering: .addressAndPort)
    package static let symmetric = NATBehaviour(mapping: .addressAndPort, filtering: .addressAndPort)
    /// Lets only TCP out.
    package static var withoutDatagrams: NATBehaviour {
        var behaviour = portRestricted
        behaviour.passesDatagrams = false
        return behaviour
    }
}

/// A translator's table: which inside address is which outside port, and who may write to it (RFC 4787).
///
///     unknown ──inside sends──▶ mapped ──nobody inside sends for `timeout`──▶ unknown, and a new port next time
///
/// Limits: the ports there are; the oldest mapping's is taken again, as by a NAT that is full. Knows nothing of TCP,
/// whose connections go out and never in.
struct NAT {
    private struct Key: Hashable {
        let inside: TransportAddress
        let ip: IPAddress?
        let port: UInt16?
    }

    private struct Mapping {
        let key: Key
        var lastUsed: NIODeadline
        /// Whom the inside wrote to.
        var contacted: Set<TransportAddress> = []
        var contactedAddresses: Set<IPAddress> = []
    }

    let behaviour: NATBehaviour
    let outside: IPAddress
    private var ports: [Key: UInt16] = [:]
    private var mappings: [UInt16: Mapping] = [:]
    private var lastPort: UInt16 = 29_999

    init(_ behaviour: NATBehaviour, outside: IPAddress) { (self.behaviour, self.outside) = (behaviour, outside) }

    /// Something goes out: the source that others see; nil when nothing may.
    mutating func left(from inside: TransportAddress, to remote: TransportAddress, now: NIODeadline)
        -> TransportAddress?
    {
        guard behaviour.passesDatagrams else { return nil }
        let key =
            switch behaviour.mapping {
            case .nothing: Key(inside: inside, ip: nil, port: nil)
            case .address: Key(inside: inside, ip: remote.ip, port: nil)
            case .addressAndPort: Key(inside: inside, ip: remote.ip, port: remote.port)
            }
        let port = livePort(of: key, now: now) ?? newPort(for: key, now: now)
        mappings[port]?.lastUsed = now
        mappings[port]?.contacted.insert(remote)
        mappings[port]?.contactedAddresses.insert(remote.ip)
        return TransportAddress(outside, port: port)
    }

    private func livePort(of key: Key, now: NIODeadline) -> UInt16? {
        guard let port = ports[key], let mapping = mappings[port], now < mapping.lastUsed + behaviour.timeout else {
            return nil
        }
        return port
    }

    private mutating func newPort(for key: Key, now: NIODeadline) -> UInt16 {
        lastPort = lastPort == .max ? 30_000 : lastPort + 1
        if let old = ports[key] { mappings[old] = nil }
        if let old = mappings[lastPort] { ports[old.key] = nil }
        ports[key] = lastPort
        mappings[lastPort] = Mapping(key: key, lastUsed: now)
        return lastPort
    }

    /// Something arrives for an outside port: whom it is for; nil when nobody may have it.
    func arrived(from remote: TransportAddress, at port: UInt16, now: NIODeadline) -> TransportAddress? {
        guard behaviour.passesDatagrams, let mapping = mappings[port], now < mapping.lastUsed + behaviour.timeout
        else { return nil }
        let passes =
            switch behaviour.filtering {
            case .nothing: true
            case .address: mapping.contactedAddresses.contains(remote.ip)
            case .addressAndPort: mapping.contacted.contains(remote)
            }
        return passes ? mapping.key.inside : nil
    }

    /// Forgets every mapping, as after a loss of power.
    mutating func forget() { (ports, mappings) = ([:], [:]) }
}
