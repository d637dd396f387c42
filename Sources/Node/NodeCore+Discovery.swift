import Channels
import DequeModule
import GossipSub
import NIOCore
import OrderedCollections
import WebRTC
package import Wire

/// Finding and reaching peers: own addresses, names, the dialer, the local network.
extension NodeCore {
    /// Whether the runtime has to open multicast sockets.
    package var discoversLocally: Bool { mdns != nil }

    /// Where others can reach this node, each address with `/p2p/<own id>`.
    package var ownAddresses: [Multiaddr] {
        (worthwhileAddresses + addressesBehindRelays).compactMap { try? $0.appending(identity.peerID) }
    }

    /// What identify tells: own addresses without `/p2p`.
    var announcedAddresses: [Multiaddr] {
        worthwhileAddresses + addressesBehindRelays
    }

    /// Where relays let others reach this node; who can make a direct connection is told so.
    private var addressesBehindRelays: [Multiaddr] {
        let addresses = relayClient.addresses
        return seeksDirectPaths ? addresses + addresses.map(\.signalled) : addresses
    }

    /// The runtime listens: everybody who should know hears it.
    func listening(_ addresses: [Multiaddr], now: NIODeadline) {
        listenAddresses = addresses.compactMap(withCertificate)
        dialer.handle(.ownAddresses(listenAddresses), now: now)
        updateProbing(now: now)
        addressesChanged(now: now)
    }

    /// What others are told of where this node can be reached is no longer true.
    func addressesChanged(now: NIODeadline) {
        seekRelays(now: now)
        // Sealed once per change, not once per identify: signing costs more than everything else there.
        let record = PeerRecord(
            peerID: identity.peerID, sequence: peers.nextRecordSequence(), addresses: announcedAddresses)
        signedPeerRecord = record.sealed(by: identity)
        relayServer?.handle(.addresses(ownAddresses.filter { !$0.isCircuit }), now: now)
        mdns?.handle(.announce(ownAddresses.filter { !$0.isCircuit }), now: now)
        discovery?.handle(.announce(ownAddresses), now: now)
        outputs.append(.event(.addresses(ownAddresses)))
        pushIdentify(now: now)
    }

    /// A webrtc-direct address with the hash of our certificate, which never changes; others as they are.
    private func withCertificate(_ address: Multiaddr) -> Multiaddr? {
        guard case .webRTCDirect(let ip, let port, _) = address.dialTarget else { return address }
        guard let engines else { return nil }
        return try? DirectAddress.listening(at: TransportAddress(ip, port: port), engines.fingerprint)
    }

    // MARK: Names

    func perform(_ output: Resolutions.Output, now: NIODeadline) {
        switch output {
        case .query(let query): outputs.append(.resolve(query))
        case .resolved(let purpose, let resolution): resolved(resolution, for: purpose, now: now)
        }
    }

    private func resolved(
        _ resolution: AddressResolver.Resolution, for purpose: Resolutions.Purpose, now: NIODeadline
    ) {
        let addresses = resolution.addresses
        let reason = resolution.failures.first?.words ?? "the name leads nowhere"
        switch purpose {
        case .request(let request):
            guard !addresses.isEmpty else { return fail(request, .unreachable, reason) }
            let peer = addresses.lazy.compactMap(\.peerID).first
            dialer.handle(.dial(peer, addresses, request: request, isForced: true), now: now)
        case .listening(let address):
            if addresses.isEmpty {
                log(.warning, "\(address): \(reason)")
                bootstrap?.handle(.failed(.lists, reason), now: now)
            }
            hold(addresses, now: now)
        case .keeping(let address):
            if addresses.isEmpty { log(.warning, "\(address): \(reason)") }
            for (peer, known) in Self.byPeer(addresses) { dialer.handle(.keep(peer, known), now: now) }
        case .stun: stunResolved(addresses, now: now)
        case .turn(let index): turnResolved(index, addresses, reason: reason, now: now)
        }
    }

    private static func byPeer(_ addresses: [Multiaddr]) -> [(PeerID?, [Multiaddr])] {
        var result: OrderedDictionary<PeerID?, [Multiaddr]> = [:]
        for address in addresses {
            if let bare = address.withoutPeerID { result[address.peerID, default: []].append(bare) }
        }
        return result.map { ($0.key, $0.value) }
    }

    /// A peer to be connected to for as long as the node runs.
    func keep(_ address: Multiaddr, now: NIODeadline) {
        guard address.needsResolution else {
            return dialer.handle(.keep(address.peerID, [address.withoutPeerID ?? address]), now: now)
        }
        resolver.handle(.resolve(address, .keeping(address)), now: now)
    }

    // MARK: The dialer

    func perform(_ output: Dialer.Output, now: NIODeadline) {
        switch output {
        case .attempt(let attempt, let address, let peer): dial(attempt, address, expecting: peer, now: now)
        case .cancelAttempt(let attempt):
            guard let id = attempts.removeValue(forKey: attempt), let connection = connections[id] else { return }
            close(connection, reason: "not waited for any longer", now: now)
        case .attemptTimedOut(let attempt): attemptTimedOut(attempt, now: now)
        case .dialed(let request, let peer):
            guard !searchReached(peer, by: request, now: now), !relayDialEnded(request, failure: nil, now: now),
                ownDials.ended(request) == nil
            else { return }
            complete(request, .success(.connected(peer)))
        case .failed(let request, let failures):
            guard !searchFailed(request, failures, now: now),
                !relayDialEnded(request, failure: Self.describe(failures), now: now)
            else { return }
            if let purpose = ownDials.ended(request) { return failed(purpose, failures, now: now) }
            fail(request, failures)
        case .keptFailed(let peer, let failures, let wait):
            let name = peer.map { $0.suffix() } ?? "a bootstrap peer"
            let next = wait.map { "; trying again in \(max(1, $0.nanoseconds / 1_000_000_000)) s" } ?? ""
            log(.notice, "\(name) was not reached: \(Self.describe(failures))\(next)")
            keptFailed(failures, now: now)
        }
    }

    func fail(_ request: RequestID, _ failures: [Dialer.Failure]) {
        let reasons = Self.describe(failures)
        let isSelf = !failures.isEmpty && failures.allSatisfy { $0.reason == .isSelf }
        fail(request, isSelf ? .dialsItself : .unreachable, reasons.isEmpty ? "no address to dial" : reasons)
    }

    static func describe(_ failures: [Dialer.Failure]) -> String {
        failures.map { "\($0.address): \($0.words)" }.joined(separator: "; ")
    }

    // MARK: The local network

    func perform(_ output: MDNS.Output, now: NIODeadline) {
        switch output {
        case .send(let packet): outputs.append(.multicast(packet))
        case .discovered(let peer, let addresses): discovered(peer, addresses, now: now)
        }
    }

    /// Both sides of a discovery hear of each other at the same moment: the one with the smaller id dials at once,
    /// the other only when no connection came, so that one connection is made and not two.
    private func discovered(_ peer: PeerID, _ addresses: [Multiaddr], now: NIODeadline) {
        guard peer != identity.peerID, phase == .running else { return }
        peers.learned(addresses.compactMap(\.withoutPeerID), of: peer, now: now)
        // Who is connected already is no news.
        guard openConnections(to: peer).isEmpty else { return }
        outputs.append(.event(.discovered(peer, addresses)))
        guard deferredDials[peer] == nil else { return }
        if identity.peerID < peer {
            dialKnown(peer, now: now)
        } else if deferredDials.count < Limits.deferredDials {
            deferredDials[peer] = now + Limits.deferredDial
        }
    }

    func dialKnown(_ peer: PeerID, now: NIODeadline) {
        guard openConnections(to: peer).isEmpty else { return }
        dialer.handle(.dial(peer, peers.addresses(of: peer), request: nil, isForced: false), now: now)
    }
}

extension Multiaddr {
    /// Whether a name has to be looked up before anybody can dial it.
    var needsResolution: Bool {
        switch dialTarget {
        case .dnsaddr: true
        case .tcp(let host, _), .webSocket(let host, _), .secureWebSocket(let host, _, _), .quic(let host, _):
            host.name != nil
        case .webTransport(let host, _, _): host.name != nil
        case .circuit(let relay, _): relay.needsResolution
        case .webRTCDirect, .unsupported: false
        }
    }
}
