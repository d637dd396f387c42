import DequeModule
package import NIOCore
package import Wire

/// Finding peers on the local network (libp2p/specs mdns, RFC 6762): asks, answers, and reports who else is there.
///
/// Asks for each service at once, then every 10 s, 20 s, up to 60 s. Answers with PTR, SRV, TXT and addresses, so that
/// clients built on a DNS-SD library accept it (go's wants all four; the SRV's port means nothing), 20 to 120 ms after
/// a question or a change of its own addresses, at most once a second for a service. Takes addresses from
/// `dnsaddr=` strings of TXT records and from nowhere else, wherever in the packet the record stands.
///
/// Besides `_p2p._udp.local` it serves `universal-connectivity.local`, under which go-peers look for each other.
///
/// Limits: `Limits.mdns…`; a packet that is no DNS, or one too many in its second, is dropped without a word.
/// It does not know the network: packets come from and go to the caller's multicast sockets.
package struct MDNS: Machine {
    package enum Input {
        /// A packet came; `from` names its sender, whatever the caller calls it.
        case packet(ByteBuffer, from: String)
        /// This peer listens at these addresses now, with or without `/p2p/<its id>`.
        case announce([Multiaddr])
        /// The deadline came.
        case tick
    }
    package enum Output: Equatable {
        /// Send this to the group.
        case send(ByteBuffer)
        /// A peer announced these addresses, each with its `/p2p`: for the first time, anew after a while, or changed.
        case discovered(PeerID, [Multiaddr])
    }
    /// What is asked for and answered unless the caller says otherwise.
    package static let defaultServices = ["_p2p._udp.local", "universal-connectivity.local"]

    private let own: PeerID
    private let services: [DNSName]
    /// This run's name on the network: random, because the id is nobody's business before TXT is read.
    private let instance: String
    private var entropy: Entropy
    private var responders: [MDNSResponder]
    private var neighbours = MDNSNeighbours()
    private var budget = MDNSBudget()
    private var announced: [Multiaddr] = []
    private var nextQuery = NIODeadline.uptimeNanoseconds(0)
    private var queryInterval = TimeAmount.seconds(10)
    private var outputs: Deque<Output> = []

    /// A machine that asks at its first tick, which is due at once.
    package init(own: PeerID, services: [String] = MDNS.defaultServices, entropy: Entropy) {
        var entropy = entropy
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        let name = entropy.bytes(32).map { letters[Int($0) % letters.count] }
        self.own = own
        self.services = services.compactMap { DNSName($0) }
        instance = String(decoding: name, as: UTF8.self)
        self.entropy = entropy
        responders = []
        let label = instance
        responders = self.services.map { MDNSResponder(names: [$0, $0.prefixed(by: label)]) }
        if let meta = MDNSResponder.metaName { responders.append(MDNSResponder(names: [meta])) }
    }

    package var deadline: NIODeadline {
        responders.reduce(nextQuery) { min($0, $1.due) }
    }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .packet(let bytes, let source):
            guard budget.admits(source, now: now), let message = try? DNSMessage(bytes) else { break }
            if message.isResponse { heard(message, now: now) } else { asked(message.questions, now: now) }
        case .announce(let addresses): announce(addresses, now: now)
        case .tick: break
        }
        ask(now: now)
        for index in responders.indices {
            if let packet = responders[index].answer(now: now) { outputs.append(.send(packet)) }
        }
    }

    // MARK: Asking

    private mutating func ask(now: NIODeadline) {
        guard nextQuery <= now else { return }
        for service in services {
            // One question a packet: js looks at the first only.
            let query = DNSMessage(isResponse: false, questions: [.init(service, type: DNSMessage.Kind.ptr)])
            outputs.append(.send(query.packet))
        }
        let tenth = queryInterval.nanoseconds / 10
        nextQuery = now + queryInterval + .nanoseconds(.random(in: -tenth...tenth, using: &entropy))
        queryInterval = min(.seconds(60), queryInterval * 2)
    }

    // MARK: Answering

    private mutating func announce(_ addresses: [Multiaddr], now: NIODeadline) {
        guard addresses != announced else { return }
        announced = addresses
        let announcement = MDNSAnnouncement(own: own, instance: instance, addresses: addresses)
        for (index, service) in services.enumerated() {
            responders[index].packet = announcement.packet(for: service)
            responders[index].schedule(now: now, entropy: &entropy)
        }
        if responders.count > services.count, let service = services.first {
            responders[services.count].packet = announcement.isEmpty ? nil : MDNSResponder.metaAnswer(service)
        }
    }

    private mutating func asked(_ questions: [DNSMessage.Question], now: NIODeadline) {
        for question in questions {
            for index in responders.indices where responders[index].names.contains(question.name) {
                responders[index].schedule(now: now, entropy: &entropy)
            }
        }
    }

    // MARK: Hearing

    private mutating func heard(_ message: DNSMessage, now: NIODeadline) {
        for record in message.answers + message.additionals {
            guard case .txt(let strings) = record.data, let service = record.name.parent, services.contains(service)
            else { continue }
            for (peer, addresses) in Self.addresses(in: strings) where peer != own {
                if neighbours.heard(peer, addresses, timeToLive: record.timeToLive, now: now) {
                    outputs.append(.discovered(peer, addresses))
                }
            }
        }
    }

    /// The addresses of a TXT record by peer, in the order of the record; whatever else it holds is skipped.
    private static func addresses(in strings: [[UInt8]]) -> [(peer: PeerID, addresses: [Multiaddr])] {
        var found: [(peer: PeerID, addresses: [Multiaddr])] = []
        let prefix = "dnsaddr="
        for string in strings {
            guard let text = String(validating: string, as: UTF8.self), text.hasPrefix(prefix),
                let address = try? Multiaddr(String(text.dropFirst(prefix.count))), let peer = address.peerID
            else { continue }
            if let index = found.firstIndex(where: { $0.peer == peer }) {
                guard found[index].addresses.count < Limits.mdnsAddresses,
                    !found[index].addresses.contains(address)
                else { continue }
                found[index].addresses.append(address)
            } else {
                found.append((peer, [address]))
            }
        }
        return found
    }
}
