import NIOCore
import Wire

/// When the answer for one service goes out: shortly after a question, never twice within a second (RFC 6762, 6).
///
/// Questions in between are answered together, so that none is lost.
struct MDNSResponder {
    /// Questions for any of these names are answered.
    let names: [DNSName]
    /// The answer; nil while there is nothing to say.
    var packet: ByteBuffer?
    /// When it goes out next; `.distantFuture` when nobody asked.
    private(set) var due = NIODeadline.distantFuture
    private var last: NIODeadline?

    init(names: [DNSName]) { self.names = names }

    /// Somebody asked, or the answer changed.
    mutating func schedule(now: NIODeadline, entropy: inout Entropy) {
        guard packet != nil, due == .distantFuture else { return }
        // Several answer to the same question: a random wait keeps them from talking at once.
        let polite = now + .milliseconds(.random(in: 20...120, using: &entropy))
        due = last.map { max(polite, $0 + Limits.mdnsAnswerInterval) } ?? polite
    }

    /// The answer, when it is due.
    mutating func answer(now: NIODeadline) -> ByteBuffer? {
        guard due <= now else { return nil }
        due = .distantFuture
        guard let packet else { return nil }
        last = now
        return packet
    }

    /// What DNS-SD tools ask for to learn which services there are (RFC 6763, 9).
    static let metaName = DNSName("_services._dns-sd._udp.local")

    /// The answer to that.
    static func metaAnswer(_ service: DNSName) -> ByteBuffer? {
        guard let metaName else { return nil }
        return DNSMessage(isResponse: true, answers: [.init(metaName, timeToLive: 120, data: .ptr(service))]).packet
    }
}

/// What this peer says about itself.
struct MDNSAnnouncement {
    private let instance: String
    private let host: DNSName
    private let strings: [[UInt8]]
    private let hosts: [IPAddress]

    /// Seconds that others may believe it.
    private static let timeToLive: UInt32 = 120
    /// Host addresses of the SRV's target: DNS-SD libraries want one, nobody needs many.
    private static let hostAddresses = 4

    /// Addresses of this machine come last: they are the first to go when there is too little room.
    init(own: PeerID, instance: String, addresses: [Multiaddr]) {
        self.instance = instance
        host = DNSName(labels: [Array(instance.utf8), Array("local".utf8)])
        let usable = addresses.filter { !$0.isCircuit && $0.ip?.isUnspecified == false }
        let ordered = usable.filter { $0.ip?.isLoopback == false } + usable.filter { $0.ip?.isLoopback == true }
        let texts = ordered.prefix(Limits.mdnsAddresses).compactMap { address in
            (try? address.appending(own)).map { Array("dnsaddr=\($0)".utf8) }
        }
        strings = texts.filter { $0.count <= 255 }
        var hosts: [IPAddress] = []
        for ip in ordered.compactMap(\.ip) where !hosts.contains(ip) && hosts.count < Self.hostAddresses {
            hosts.append(ip)
        }
        self.hosts = hosts
    }

    /// Whether there is nothing to announce.
    var isEmpty: Bool { strings.isEmpty }

    /// The answer for a service, as many addresses as fit ``Limits/mdnsPacketSent``.
    func packet(for service: DNSName) -> ByteBuffer? {
        var count = strings.count
        while count > 0 {
            let packet = message(for: service, strings: Array(strings.prefix(count))).packet
            if packet.readableBytes <= Limits.mdnsPacketSent { return packet }
            count -= 1
        }
        return nil
    }

    private func message(for service: DNSName, strings: [[UInt8]]) -> DNSMessage {
        let name = service.prefixed(by: instance)
        func record(_ name: DNSName, _ data: DNSMessage.RecordData, flush: Bool = true) -> DNSMessage.Record {
            DNSMessage.Record(name, timeToLive: Self.timeToLive, flush: flush, data: data)
        }
        let numbers = hosts.map { ip in
            switch ip {
            case .v4: record(host, .a(ip.bytes))
            case .v6: record(host, .aaaa(ip.bytes))
            }
        }
        return DNSMessage(
            isResponse: true,
            answers: [record(service, .ptr(name), flush: false)],
            additionals: [record(name, .srv(port: 4001, target: host)), record(name, .txt(strings))] + numbers)
    }
}
