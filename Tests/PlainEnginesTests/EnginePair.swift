import NIOCore
import Wire

@testable import PlainEngines
@testable import WebRTC

/// Two ends of plain SCTP and a link in virtual time that loses what it is told to lose.
final class EnginePair {
    private struct Flight {
        let at: NIODeadline
        let number: Int
        let to: Int
        let packet: ByteBuffer
    }

    let ends: [PlainSCTP]
    private(set) var events: [[SCTPEvent]] = [[], []]
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    let delay: TimeAmount
    /// Added at random, so that packets overtake each other.
    var jitter = TimeAmount.zero
    /// Of a hundred packets.
    var loss = 0
    /// Packets for which this says false vanish: by whom, and what.
    var passes: (Int, ByteBuffer) -> Bool = { _, _ in true }
    private(set) var packets = [0, 0]
    private var flights: [Flight] = []
    private var number = 0
    private var entropy: Entropy
    static let largestPacket = 1100

    init(seed: UInt64 = 1, delay: TimeAmount = .milliseconds(10), streams: Int = 16, largestMessage: Int = 100_000) {
        self.delay = delay
        entropy = .seeded(seed)
        ends = (0...1).map { _ in
            PlainSCTP(streams: streams, largestPacket: Self.largestPacket, largestMessage: largestMessage)
        }
    }

    func connect() {
        for end in ends { end.start(now: now) }
        run(for: .seconds(60)) { $0.events.allSatisfy { $0.contains(.connected) } }
    }

    func messages(at end: Int) -> [SCTPMessage] {
        events[end].compactMap { if case .received(let message) = $0 { message } else { nil } }
    }

    /// Does something to an end, at this time.
    func at<Result>(_ end: Int, _ body: (PlainSCTP, NIODeadline) throws -> Result) rethrows -> Result {
        let result = try body(ends[end], now)
        collect()
        return result
    }

    func run(for time: TimeAmount, until isDone: (EnginePair) -> Bool = { _ in false }) {
        let end = now + time
        collect()
        while !isDone(self) {
            flights.sort { ($0.at, $0.number) < ($1.at, $1.number) }
            let next = min(flights.first?.at ?? .distantFuture, ends[0].deadline, ends[1].deadline)
            guard next <= end else {
                now = end
                return
            }
            now = max(now, next)
            if let flight = flights.first, flight.at <= now {
                flights.removeFirst()
                ends[flight.to].received(flight.packet, now: now)
            }
            for end in ends where end.deadline <= now { end.timedOut(now: now) }
            collect()
        }
    }

    private func collect() {
        for index in 0...1 {
            var packet = ByteBuffer()
            while ends[index].nextPacket(into: &packet) {
                packets[index] += 1
                guard passes(index, packet), Int.random(in: 0..<100, using: &entropy) >= loss else { continue }
                number += 1
                let extra = jitter > .zero ? Int64.random(in: 0..<jitter.nanoseconds, using: &entropy) : 0
                flights.append(
                    Flight(at: now + delay + .nanoseconds(extra), number: number, to: 1 - index, packet: packet))
            }
            while let event = ends[index].poll() { events[index].append(event) }
        }
    }
}

/// A message whose bytes differ from place to place.
func message(_ stream: UInt16, _ count: Int, seed: Int = 0, isUnordered: Bool = false, _ how: Reliability = .reliable)
    -> SCTPMessage
{
    let bytes = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8 &+ seed) })
    return SCTPMessage(stream: stream, .binary, bytes, isUnordered: isUnordered, reliability: how)
}

extension SCTPMessage {
    /// As it arrives: what it cost to send is the sender's business.
    var received: SCTPMessage {
        var copy = self
        copy.reliability = .reliable
        return copy
    }
}
