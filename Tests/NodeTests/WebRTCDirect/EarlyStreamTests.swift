import Channels
import ICE
import NIOCore
import PlainEngines
import Testing
import WebRTC
import Wire

@testable import Node

/// A listener and a dialer that does what a test wants on its channels.
@Suite struct EarlyStreamTests {
    /// The dialer's side is a bare peer connection; datagrams arrive at once.
    private final class Rig {
        let dialer: PeerConnection
        let listener: WebRTCConnection
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        var events: [Connection.Output] = []
        var end: DirectError??
        /// What the dialer's channels said, and those that are gone.
        var messages: [(DataChannelID, ByteBuffer)] = []
        var gone: [DataChannelID] = []
        var isConnected = false
        private let path = ICEPath(
            local: TransportAddress(.v4(IPv4Address(1)), port: 1),
            remote: TransportAddress(.v4(IPv4Address(2)), port: 2))

        init(_ dialerKey: KeyPair, _ listenerKey: KeyPair) throws {
            var entropy = Entropy.seeded(1)
            let credentials = DirectCredentials.random(.one, using: &entropy)
            var settings = PeerConnectionConfiguration(
                .full(.controlling), localAddresses: [path.local], dtlsRole: .client)
            settings.ice = .direct
            settings.credentials = credentials.dialer
            dialer = PeerConnection(
                configuration: settings, engines: PlainEngines(seed: 1), entropy: entropy.split(), now: now)
            let back = ICEPath(local: path.remote, remote: path.local)
            listener = WebRTCConnection(
                answering: DirectOffer(credentials: credentials, path: back), identity: listenerKey,
                configuration: ConnectionConfiguration(inboundProtocols: ["/echo/1"]), engines: PlainEngines(seed: 2),
                entropy: entropy.split(), now: now)
            listener.handle(.start, now: now)
            let remote = PeerConnectionParameters(
                credentials: credentials.listener, candidates: [.host(path.remote)])
            dialer.start(remote: remote, now: now)
        }

        func run() {
            var isBusy = true
            while isBusy {
                isBusy = false
                while let output = dialer.poll() {
                    isBusy = true
                    switch output {
                    case .send(let datagrams, let path):
                        let back = ICEPath(local: path.remote, remote: path.local)
                        listener.handle(.datagrams(datagrams, on: back), now: now)
                    case .received(let id, let message): messages.append((id, message.bytes))
                    case .channelClosed(let id): gone.append(id)
                    case .connected: isConnected = true
                    default: break
                    }
                }
                while let output = listener.poll() {
                    isBusy = true
                    switch output {
                    case .send(let datagrams, let path):
                        let back = ICEPath(local: path.remote, remote: path.local)
                        dialer.handle(.datagrams(datagrams, on: back), now: now)
                    case .connection(let event): events.append(event)
                    case .closed(let error): end = .some(error)
                    case .path, .candidate, .silent, .relayPipe, .relayFailed, .phase: break
                    }
                }
                guard !isBusy, !isConnected else { continue }
                now = min(dialer.deadline, listener.deadline)
                dialer.handle(.tick, now: now)
                listener.handle(.tick, now: now)
                isBusy = now < .uptimeNanoseconds(20_000_000_000)
            }
        }
    }

    private let proposal = ByteBuffer(string: "\u{13}/multistream/1.0.0\n\u{08}/echo/1\n")

    @Test func streamsBeforeTheEndOfTheHandshakeWaitAndTheExcessIsClosed() throws {
        let (dialerKey, listenerKey) = (KeyPair.generate(), KeyPair.generate())
        let rig = try Rig(dialerKey, listenerKey)
        let zero = try rig.dialer.open(DataChannelOptions(negotiatedID: 0), now: rig.now)
        rig.run()
        try #require(rig.isConnected)
        // Streams come before the answer to the listener's first message.
        let count = Limits.earlyChannels + 8
        for number in 0..<count {
            let channel = try rig.dialer.open(DataChannelOptions(label: "\(number)"), now: rig.now)
            let frame = ChannelFrame(data: proposal, flag: number == 0 ? .reset : nil).encoded
            try rig.dialer.send(.binary(frame), on: channel, now: rig.now)
            let more = ChannelFrame(data: ByteBuffer(string: "early"), flag: .fin).encoded
            try rig.dialer.send(.binary(more), on: channel, now: rig.now)
            // The first is over before the second comes: what leaves together may change its order between channels.
            if number == 0 { rig.run() }
        }
        rig.run()
        #expect(rig.events.isEmpty)
        #expect(rig.gone.count >= 8)

        var entropy = Entropy.seeded(2)
        var handshake = DirectHandshake(
            role: .dialer, identity: dialerKey, keys: NoiseKeys(from: &entropy), expecting: listenerKey.peerID,
            dialer: PlainEngines(seed: 1).fingerprint, listener: PlainEngines(seed: 2).fingerprint)
        _ = handshake.opened()
        var isDone = false
        for _ in 0..<4 where !isDone {
            let mine = rig.messages.filter { $0.0 == zero }.map(\.1)
            rig.messages.removeAll { $0.0 == zero }
            for message in mine { handshake.received(message) }
            asking: while true {
                switch try handshake.next() {
                case .none: break asking
                case .write(let frame): try rig.dialer.send(.binary(frame), on: zero, now: rig.now)
                case .finished(_, let key):
                    isDone = true
                    #expect(key == listenerKey.publicKey)
                }
            }
            rig.run()
        }
        #expect(isDone)
        #expect(rig.listener.remotePeer == dialerKey.peerID)
        var accepted = 0
        var data = 0
        for event in rig.events {
            switch event {
            case .streamAccepted: accepted += 1
            case .received(_, let bytes): data += bytes.readableBytes
            default: break
            }
        }
        // The first was reset behind its proposal, which made room for another one.
        #expect(accepted == Limits.earlyChannels + 1)
        #expect(data == 5 * Limits.earlyChannels)

        // Channel 0 means nothing any more.
        try rig.dialer.send(.binary(ByteBuffer(string: "nonsense")), on: zero, now: rig.now)
        rig.dialer.close(zero, now: rig.now)
        rig.run()
        #expect(rig.end == nil)
    }
}
