import Engines
import ICE
import NIOCore
import NIOPosix
import Node
import WebRTC
import Wire

@testable import SwiftPeer

/// The end that dials an ``EchoSessions``, on a network that is a list of datagrams and a clock that is a number.
///
/// The engines are the real ones; their timers are ours, so that nothing waits for a wall clock.
struct EchoBench {
    var server: EchoSessions
    let client: PeerConnection
    var now = NIODeadline.now()
    var outputs: [PeerConnection.Output] = []
    var events: [EchoSessions.Event] = []
    private let path: ICEPath

    init(version: DirectVersion = .one) throws {
        let local = TransportAddress(.v4(.init(0x7F00_0001)), port: 4000)
        let remote = TransportAddress(.v4(.init(0x7F00_0001)), port: 5000)
        path = ICEPath(local: local, remote: remote)
        let engines = SystemEngines(certificate: .generate())
        server = EchoSessions(engines: engines, entropy: .system)
        var entropy = Entropy.system
        let credentials = DirectCredentials.random(version, using: &entropy)
        var configuration = PeerConnectionConfiguration(
            .full(.controlling), localAddresses: [local], dtlsRole: .client)
        configuration.credentials = credentials.dialer
        configuration.ice = .direct
        client = PeerConnection(
            configuration: configuration, engines: SystemEngines(certificate: .generate()), entropy: .system, now: now)
        client.start(
            remote: PeerConnectionParameters(
                credentials: credentials.listener, candidates: [.host(remote)],
                fingerprint: engines.certificate.fingerprint, largestMessage: Limits.sctpMessage), now: now)
    }

    /// Lets both ends work for as long as `isDone` is false, at most for so many steps of the clock.
    mutating func run(_ steps: Int = 400, until isDone: (EchoBench) -> Bool) -> Bool {
        for _ in 0..<steps {
            exchange()
            if isDone(self) { return true }
            now = now + .milliseconds(5)
            if client.deadline <= now { client.handle(.tick, now: now) }
            if server.deadline <= now { server.handle(.tick, now: now) }
        }
        return false
    }

    private mutating func exchange() {
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            while let output = client.poll() {
                isQuiet = false
                if case .send(let datagrams, _) = output {
                    let back = ICEPath(local: path.remote, remote: path.local)
                    server.handle(.datagrams(datagrams, on: back), now: now)
                } else {
                    outputs.append(output)
                }
            }
            while let output = server.poll() {
                isQuiet = false
                switch output {
                case .send(let datagrams, _): client.handle(.datagrams(datagrams, on: path), now: now)
                case .event(let event): events.append(event)
                }
            }
        }
    }

    /// What came back on a channel, in order.
    func echoes(on channel: DataChannelID) -> [DataChannelMessage] {
        outputs.compactMap { if case .received(channel, let message) = $0 { message } else { nil } }
    }
}
