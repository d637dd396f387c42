import ICE
import NIOCore
import Wire

/// A TURN client, and a server that says exactly what a test wants.
struct TURNServerPlay {
    static let server = TransportAddress(.v4(IPv4Address(0xCB00_7109)), port: 3478)
    static let relayed = TransportAddress(.v4(IPv4Address(0xCB00_7109)), port: 50_000)
    static let mapped = TransportAddress(.v4(IPv4Address(0xC633_6401)), port: 4000)
    static let peer = TransportAddress(.v4(IPv4Address(0xC000_0201)), port: 7000)
    static let realm = "example.org"

    var client: TURNClient
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var outputs: [TURNClient.Output] = []
    /// The key of user `ada`, password `secret`.
    let key = STUNKey(username: "ada", realm: realm, password: "secret")

    init(_ transport: TURNServer.Transport = .udp, seed: UInt64 = 1, server: TransportAddress = server) {
        let server = TURNServer(address: server, transport: transport, username: "ada", password: "secret")
        client = TURNClient(server: server, entropy: .seeded(seed))
    }

    mutating func handle(_ input: TURNClient.Input) {
        client.handle(input, now: now)
        while let output = client.poll() { outputs.append(output) }
    }

    /// Takes what came out since the last time.
    mutating func taken() -> [TURNClient.Output] {
        defer { outputs = [] }
        return outputs
    }

    /// STUN messages among that.
    mutating func takeMessages() -> [STUNMessage] {
        taken().compactMap { if case .send(let bytes) = $0 { try? STUNMessage(parsing: bytes) } else { nil } }
    }

    /// Lets time pass, with every tick on the way.
    mutating func wait(_ amount: TimeAmount) {
        let end = now + amount
        while client.deadline <= end {
            now = max(now, client.deadline)
            handle(.tick)
        }
        now = end
    }

    static func refusal(_ number: UInt16, nonce: String? = "n1", realm: String? = realm) -> [STUNAttribute] {
        [.errorCode(STUNErrorCode(number, "no"))] + (realm.map { [.realm($0)] } ?? [])
            + (nonce.map { [.nonce($0)] } ?? [])
    }

    static let allocation: [STUNAttribute] = [.xorRelayedAddress(relayed), .lifetime(600), .xorMappedAddress(mapped)]

    mutating func answer(
        _ message: STUNMessage, _ messageClass: STUNMessage.Class = .success, _ attributes: [STUNAttribute] = [],
        key: STUNKey?
    ) {
        let bytes = STUNMessage(
            messageClass, message.method, transaction: message.transaction, attributes: attributes
        ).encoded(key: key)
        handle(.received(bytes))
    }

    /// Answers all that was asked, in the friendly way.
    mutating func answerAll(_ number: UInt16? = nil) {
        for message in takeMessages() where message.messageClass == .request {
            if let number {
                answer(message, .error, Self.refusal(number), key: key)
            } else if message.nonce == nil {
                answer(message, .error, Self.refusal(401), key: nil)
            } else {
                let attributes: [STUNAttribute] =
                    message.method == .allocate ? Self.allocation : message.method == .refresh ? [.lifetime(600)] : []
                answer(message, .success, attributes, key: key)
            }
        }
    }

    /// As far as an allocation.
    static func allocated(_ transport: TURNServer.Transport = .udp) -> TURNServerPlay {
        var play = TURNServerPlay(transport)
        play.handle(.start)
        play.answerAll()
        play.answerAll()
        play.outputs = []
        return play
    }

    /// As far as a channel to `peer`.
    static func bound(_ transport: TURNServer.Transport = .udp) -> TURNServerPlay {
        var play = allocated(transport)
        play.handle(.send(traffic, to: peer))
        play.answerAll()
        play.answerAll()
        play.outputs = []
        return play
    }

    /// A record of DTLS by its first byte, and a check by its.
    static let traffic = ByteBuffer(bytes: [22, 1, 2, 3, 4])
    static let check = ByteBuffer(bytes: [0, 1, 0, 0])

    static func dataIndication(_ bytes: ByteBuffer, from peer: TransportAddress) -> ByteBuffer {
        STUNMessage(
            .indication, .data, transaction: STUNTransactionID(high: 1, low: 2),
            attributes: [.xorPeerAddress(peer), .data(bytes)]
        ).encoded(fingerprint: false)
    }
}
