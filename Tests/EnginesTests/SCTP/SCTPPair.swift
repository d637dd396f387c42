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

/// Two associations on an emulated path, in virtual time (``SystemTime``).
///
/// Tests that use this run alone in a process of their own: it has one usrsctp, and one time.
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
    /// The process's.
    var now: NIODeadline { SystemTime.now }
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
    private(set) var lastMessage: NIODeadline
    private(set) var longestSilence = TimeAmount.zero

    init(
        _ faults: PathFaults = .clean, seed: UInt64 = 1, streams: (Int, Int) = (256, 256), largestPacket: Int = 1163,
        largestMessage: Int = 262_144
    ) {
        self.faults = faults
        entropy = .seeded(seed)
        SystemTime.begin()
        lastMessage = SystemTime.now
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

    /// When something happens next.
    private var next: NIODeadline {
        [a, b].reduce(flights.first?.at ?? .distantFuture) { min($0, $1?.deadline ?? .distantFuture) }
    }

    /// Lets the time go on to the next thing that happens, or to `limit`.
    func step(atMost limit: NIODeadline = .distantFuture) {
        let next = min(next, limit)
        guard next != .distantFuture else { return }
        SystemTime.advance(to: next)
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

    /// All of them, beside each other.
    static func run(_ pairs: [SCTPPair], for time: TimeAmount) {
        let end = SystemTime.now + time
        while let pair = pairs.min(by: { $0.next < $1.next }), pair.next <= end { pair.step() }
        SystemTime.advance(to: end)
    }

    /// Until `done`; false when it takes longer than `limit`.
    @discardableResult
    func run(atMost limit: TimeAmount, until done: () -> Bool) -> Bool {
        let end = now + limit
        drain()
        while !done() {
            guard now < end else { return false }
            step(atMost: end)
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
    // Blocks, because there are megabytes of them.
    var block: [UInt8] = [UInt8(truncatingIfNeeded: number)]
    while block.count < 256 { block.append(block[block.count - 1] &* 31 &+ 7) }
    var buffer = ByteBuffer()
    buffer.reserveCapacity(bytes + block.count)
    while buffer.readableBytes < bytes { buffer.writeBytes(block) }
    buffer.moveWriterIndex(to: buffer.readerIndex + bytes)
    return SCTPMessage(stream: stream, .binary, buffer, isUnordered: isUnordered, reliability: reliability)
}
