import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

/// What an emulated path does to packets.
struct PathFaults {
    var loss = 0.0
    var duplicates = 0.0
    /// One way; chosen per packet, so that a wide range reorders.
    /// Milliseconds.
    var delay: ClosedRange<Int64> = 1...1
    static let clean = PathFaults()
}

/// Two associations on an emulated path, in virtual time.
///
/// With one blemish: when a timer for lost packets fires, usrsctp asks the system's clock which packets have been out
/// for a round trip, and sends only those again. Virtual time that runs ahead of it would find none. So before such a
/// timer can fire, this waits until a few round trips of the system's time have passed: some 30 ms per timer.
///
/// usrsctp's clock is the process's: tests that use this run alone in a process of their own.
final class SCTPPair {
    enum Side: Int, Sendable { case a, b }

    private struct Flight {
        let at: NIODeadline
        let order: Int
        let to: Side
        let packet: ByteBuffer
    }

    var a: UsrsctpAssociation?
    var b: UsrsctpAssociation?
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var faults: PathFaults
    private var entropy: Entropy
    private var flights: [Flight] = []
    private var order = 0
    /// Everything an end told, in order.
    private(set) var events: [[SCTPEvent]] = [[], []]
    private(set) var received: [[SCTPMessage]] = [[], []]
    /// Every packet that left; kept only when asked for.
    var recording: [ByteBuffer]?
    private(set) var largestPacket = 0
    private(set) var packetCount = 0
    /// The longest time without a message at an end while some were on their way.
    private(set) var lastMessage = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private(set) var longestSilence = TimeAmount.zero
    /// When the last packet left, by both clocks.
    private var lastLeft = (virtual: NIODeadline.uptimeNanoseconds(0), real: NIODeadline.uptimeNanoseconds(0))

    init(
        _ faults: PathFaults = .clean, seed: UInt64 = 1, streams: (Int, Int) = (256, 256), largestPacket: Int = 1163,
        largestMessage: Int = 262_144
    ) {
        self.faults = faults
        entropy = .seeded(seed)
        a = UsrsctpAssociation(streams: streams.0, largestPacket: largestPacket, largestMessage: largestMessage)
        b = UsrsctpAssociation(streams: streams.1, largestPacket: largestPacket, largestMessage: largestMessage)
    }

    func end(_ side: Side) -> UsrsctpAssociation? { side == .a ? a : b }

    /// Started at both ends and up.
    static func connected(
        _ faults: PathFaults = .clean, seed: UInt64 = 1, streams: (Int, Int) = (256, 256),
        largestMessage: Int = 262_144
    ) throws -> SCTPPair {
        let pair = SCTPPair(.clean, seed: seed, streams: streams, largestMessage: largestMessage)
        try pair.start()
        pair.faults = faults
        return pair
    }

    func start() throws {
        a?.start(now: now)
        b?.start(now: now)
        drain()
        try #require(run(atMost: .seconds(30)) { self.isConnected })
    }

    var isConnected: Bool { events.allSatisfy { $0.contains(.connected) } }

    func has(_ event: SCTPEvent, _ side: Side) -> Bool { events[side.rawValue].contains(event) }

    /// Takes what both ends have.
    func drain() {
        for side in [Side.a, .b] {
            guard let end = end(side) else { continue }
            while let event = end.poll() {
                if case .received(let message) = event {
                    received[side.rawValue].append(message)
                    let silence = now - lastMessage
                    if silence > longestSilence { longestSilence = silence }
                    lastMessage = now
                } else {
                    events[side.rawValue].append(event)
                }
            }
            var packet = ByteBuffer()
            while end.nextPacket(into: &packet) {
                largestPacket = max(largestPacket, packet.readableBytes)
                packetCount += 1
                recording?.append(packet)
                leave(packet, to: side == .a ? .b : .a)
            }
        }
    }

    private func leave(_ packet: ByteBuffer, to side: Side) {
        lastLeft = (now, .now())
        guard Double.random(in: 0..<1, using: &entropy) >= faults.loss else { return }
        let copies = Double.random(in: 0..<1, using: &entropy) < faults.duplicates ? 2 : 1
        for _ in 0..<copies {
            let delay = Int64.random(in: faults.delay, using: &entropy)
            order += 1
            insert(Flight(at: now + .milliseconds(delay), order: order, to: side, packet: packet))
        }
    }

    private func insert(_ flight: Flight) {
        var low = 0
        var high = flights.count
        while low < high {
            let middle = (low + high) / 2
            if flights[middle].at <= flight.at { low = middle + 1 } else { high = middle }
        }
        flights.insert(flight, at: low)
    }

    /// Lets the time go on to the next thing that happens.
    func step() {
        var next = flights.first?.at ?? .distantFuture
        for end in [a, b] { next = min(next, end?.deadline ?? .distantFuture) }
        guard next != .distantFuture else { return }
        awaitRoundTrips(before: next)
        now = max(now, next)
        var arrived = 0
        while arrived < flights.count, flights[arrived].at <= now {
            end(flights[arrived].to)?.received(flights[arrived].packet, now: now)
            arrived += 1
        }
        flights.removeFirst(arrived)
        for end in [a, b] {
            if let end, end.deadline <= now { end.timedOut(now: now) }
        }
        drain()
    }

    private func awaitRoundTrips(before next: NIODeadline) {
        guard next > lastLeft.virtual + .milliseconds(200) else { return }
        guard [a, b].contains(where: { ($0?.bufferedBytes ?? 0) > 0 }) else { return }
        // Measured round trips are those of this machine's load: where the first timer came too early, the next,
        // which usrsctp sets to twice the time, waits longer.
        let elapsed = (next - lastLeft.virtual).nanoseconds
        let end = lastLeft.real + .nanoseconds(min(max(elapsed / 6, 30_000_000), 600_000_000))
        while NIODeadline.now() < end { continue }
    }

    /// Until `done`; false when it takes longer than `limit`.
    @discardableResult
    func run(atMost limit: TimeAmount, until done: () -> Bool) -> Bool {
        let end = now + limit
        drain()
        while !done() {
            guard now < end else { return false }
            step()
        }
        return true
    }

    func run(for time: TimeAmount) {
        let end = now + time
        run(atMost: time) { self.now >= end }
    }

    /// Sends messages as fast as they are taken and waits until `done`.
    func transfer(
        _ messages: [SCTPMessage], from side: Side = .a, atMost limit: TimeAmount, until done: () -> Bool
    ) throws {
        var next = 0
        lastMessage = now
        longestSilence = .zero
        let sender = try #require(end(side))
        let push = { () throws in
            while next < messages.count {
                do throws(SCTPSendError) {
                    try sender.send(messages[next], now: self.now)
                } catch {
                    guard error == .wouldBlock else { throw error }
                    return
                }
                next += 1
            }
        }
        try push()
        var failure: (any Error)?
        let finished = run(atMost: limit) {
            do { try push() } catch { failure = error }
            self.drain()
            return failure != nil || (next == messages.count && done())
        }
        if let failure { throw failure }
        #expect(finished, "\(received[side == .a ? 1 : 0].count) of \(messages.count) messages after \(limit)")
    }
}

/// A message whose bytes tell its number.
func message(
    _ number: Int, bytes: Int, stream: UInt16 = 0, isUnordered: Bool = false, _ reliability: Reliability = .reliable
) -> SCTPMessage {
    var buffer = ByteBuffer()
    var value = UInt8(truncatingIfNeeded: number)
    buffer.reserveCapacity(bytes)
    while buffer.readableBytes < bytes {
        buffer.writeInteger(value)
        value = value &* 31 &+ 7
    }
    return SCTPMessage(stream: stream, .binary, buffer, isUnordered: isUnordered, reliability: reliability)
}
