import NIOCore
import NIOPosix
import Testing
import WebRTC
import Wire

@testable import WebRTCRuntime

/// What a path does to datagrams, each on its own. Chances are of 1000.
struct Faults: Sendable, CustomTestStringConvertible {
    var lost = 0
    var doubled = 0
    /// One way.
    var delay = TimeAmount.zero
    /// Added at random, so that datagrams overtake each other.
    var jitter = TimeAmount.zero

    var testDescription: String {
        "loss \(lost)‰, twice \(doubled)‰, delay \(delay.nanoseconds / 1_000_000)+\(jitter.nanoseconds / 1_000_000) ms"
    }
}

/// Stands between two peers on loopback and treats each datagram by its faults; repeatable but for the clock.
///
/// Each end takes one of the link's sockets for the other end. Used on its loop only, but for `change`.
final class LossyLink {
    let faults: Faults
    private let loop: any EventLoop
    /// Facing the end that offers, and the one that answers.
    private let sockets: [DatagramSocket]
    private var ends: [TransportAddress?] = [nil, nil]
    private var random: SplitMix64
    private(set) var dropped = 0

    init(_ faults: Faults, seed: UInt64, on loop: any EventLoop) throws {
        (self.faults, self.loop, random) = (faults, loop, SplitMix64(seed: seed))
        let any = TransportAddress(.v4(IPv4Address(0x7F00_0001)), port: 0)
        sockets = [
            try DatagramSocket(bindingTo: any, on: loop, offload: false),
            try DatagramSocket(bindingTo: any, on: loop, offload: false),
        ]
        for side in 0...1 {
            sockets[side].start { [weak self] train, remote, _ in
                self?.pass(train, remote, from: side)
            } readEnded: {
            }
        }
    }

    private func pass(_ train: Datagrams, _ source: TransportAddress, from side: Int) {
        ends[side] = source
        var rest = train
        while let datagram = rest.popFirst() {
            if Int.random(in: 0..<1000, using: &random) < faults.lost {
                dropped += 1
                continue
            }
            let copies = Int.random(in: 0..<1000, using: &random) < faults.doubled ? 2 : 1
            for _ in 0..<copies { deliver(Datagrams(datagram), to: 1 - side) }
        }
    }

    private func deliver(_ datagram: Datagrams, to side: Int) {
        let extra = faults.jitter.nanoseconds > 0 ? Int64.random(in: 0...faults.jitter.nanoseconds, using: &random) : 0
        let delay = faults.delay + .nanoseconds(extra)
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: delay) {
            let link = bound.value
            guard let end = link.ends[side] ?? link.known[side] else { return }
            link.sockets[side].send(datagram, to: end)
        }
    }

    /// The ends' own addresses, as their descriptions said.
    private var known: [TransportAddress?] = [nil, nil]

    /// Puts the link's socket in the place of the one candidate of a description, for the end that reads it.
    ///
    /// - Parameter side: who wrote the description: 0 the offering end, 1 the answering one.
    func change(_ text: String, of side: Int) -> String {
        let lines = text.split(separator: "\r\n").map { line -> String in
            guard line.hasPrefix("a=candidate:") else { return String(line) }
            var words = line.split(separator: " ").map(String.init)
            if let ip = IPAddress(words[4]), let port = UInt16(words[5]) {
                known[side] = TransportAddress(ip, port: port)
            }
            words[5] = String(sockets[1 - side].localAddress.port)
            return words.joined(separator: " ")
        }
        return lines.map { $0 + "\r\n" }.joined()
    }

    func close() { for socket in sockets { socket.close() } }

    /// Connects a pair through a link and opens a channel.
    static func open(
        _ pair: PeerPair, _ faults: Faults, seed: UInt64
    ) async throws -> (near: DataChannelHandle, far: DataChannelHandle, link: LinkHandle) {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let link = LinkHandle(
            bound: try await loop.submit {
                NIOLoopBound(try LossyLink(faults, seed: seed, on: loop), eventLoop: loop)
            }.get(), loop: loop)
        let offer = try await pair.near.createOffer()
        let seenOffer = try await loop.submit { link.bound.value.change(offer, of: 0) }.get()
        let answer = try await pair.far.accept(offer: seenOffer)
        let seenAnswer = try await loop.submit { link.bound.value.change(answer, of: 1) }.get()
        try await pair.near.accept(answer: seenAnswer)
        let near = try await pair.near.openChannel(DataChannelOptions(label: "lossy"))
        var incoming = pair.far.incomingChannels.makeAsyncIterator()
        return (near, try #require(try await incoming.next()), link)
    }
}

/// A link and its loop.
struct LinkHandle: Sendable {
    let bound: NIOLoopBound<LossyLink>
    let loop: any EventLoop

    func close() async throws { try await loop.submit { bound.value.close() }.get() }
}
