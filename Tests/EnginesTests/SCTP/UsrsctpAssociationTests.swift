import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

/// Each runs in a process of its own: see `SCTPPair`.
@Suite struct UsrsctpAssociationTests {
    @Test func `Two ends that both begin are connected at once`() async {
        await #expect(processExitsWith: .success) {
            let pair = SCTPPair()
            let began = pair.now
            try pair.start()
            // INIT, INIT-ACK, COOKIE-ECHO, COOKIE-ACK at a millisecond each.
            #expect(pair.now - began <= .milliseconds(5))
            #expect(pair.a?.outboundStreams == 256 && pair.b?.outboundStreams == 256)
            #expect(pair.events == [[.connected], [.connected]])
        }
    }

    @Test func `An end that begins later costs no wait, and neither does a lost first packet for long`() async {
        await #expect(processExitsWith: .success) {
            let late = SCTPPair()
            late.a?.start(now: late.now)
            late.drain()
            late.run(for: .milliseconds(120))
            #expect(late.events == [[], []])
            let began = late.now
            late.b?.start(now: late.now)
            late.drain()
            #expect(late.run(atMost: .seconds(5)) { late.isConnected })
            #expect(late.now - began <= .milliseconds(5))

            let lossy = SCTPPair(PathFaults(loss: 1))
            let start = lossy.now
            lossy.a?.start(now: start)
            lossy.b?.start(now: start)
            lossy.drain()
            lossy.faults = .clean
            #expect(lossy.run(atMost: .seconds(5)) { lossy.isConnected })
            #expect(lossy.now - start <= .milliseconds(600))
        }
    }

    @Test func `Nobody answers: closed with an error, in bounded time`() async {
        await #expect(processExitsWith: .success) {
            let pair = SCTPPair(PathFaults(loss: 1))
            pair.a?.start(now: pair.now)
            pair.b = nil
            let isClosed = pair.run(atMost: .seconds(60)) { !pair.events[0].isEmpty }
            #expect(isClosed)
            guard case .closed(.some) = pair.events[0].last else {
                Issue.record("\(pair.events)")
                return
            }
            #expect(pair.a?.deadline == .distantFuture)
        }
    }

    @Test func `Messages of all sizes arrive whole, in order, with their stream and protocol`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected()
            let sizes = [1, 2, 1000, 1131, 1132, 1133, 1163, 16_384, 65_535, 65_536, 200_000, 262_144]
            var messages: [SCTPMessage] = []
            for (number, size) in sizes.enumerated() {
                var next = message(number, bytes: size, stream: UInt16(number * 20))
                next.payloadProtocol = PayloadProtocol(rawValue: [50, 51, 53, 56, 57, 0xFFFF_FFFE][number % 6])
                messages.append(next)
            }
            try pair.transfer(messages, atMost: .seconds(20)) { pair.received[1].count == messages.count }
            #expect(pair.received[1] == messages)
            #expect(pair.largestPacket <= 1163)
            #expect(pair.largestPacket > 1155)
            #expect(pair.run(atMost: .seconds(1)) { pair.a?.bufferedBytes == 0 })

            let unordered = (0..<50).map { message($0, bytes: 3000, stream: 255, isUnordered: true) }
            try pair.transfer(unordered, from: .b, atMost: .seconds(5)) { pair.received[0].count == 50 }
            #expect(pair.received[0].allSatisfy { $0.isUnordered && $0.stream == 255 })
        }
    }

    @Test func `What cannot be sent is refused with the reason, and nothing of it leaves`() async {
        await #expect(processExitsWith: .success) {
            let pair = SCTPPair(largestMessage: 100_000)
            #expect(throws: SCTPSendError.closed) { try pair.a?.send(message(0, bytes: 1), now: pair.now) }
            try pair.start()
            let before = pair.packetCount
            #expect(throws: SCTPSendError.tooLarge) { try pair.a?.send(message(0, bytes: 100_001), now: pair.now) }
            #expect(throws: SCTPSendError.noStream) {
                try pair.a?.send(message(0, bytes: 1, stream: 256), now: pair.now)
            }
            pair.drain()
            #expect(pair.packetCount == before)
            #expect(pair.a?.bufferedBytes == 0)
            pair.a?.abort(now: pair.now)
            #expect(throws: SCTPSendError.closed) { try pair.a?.send(message(0, bytes: 1), now: pair.now) }
        }
    }

    @Test func `A full buffer refuses whole messages and says when there is room`() async {
        await #expect(processExitsWith: .success) {
            for size in [64, 1024, 16_384, 262_144] {
                let pair = try SCTPPair.connected()
                let end = try #require(pair.a)
                var taken = 0
                var refusal: SCTPSendError?
                while refusal == nil, taken < 20_000 {
                    do throws(SCTPSendError) {
                        try end.send(message(taken, bytes: size), now: pair.now)
                        taken += 1
                    } catch { refusal = error }
                }
                #expect(refusal == .wouldBlock)
                #expect(end.bufferedBytes == taken * size)
                #expect(taken * size <= Limits.sctpSendBuffer)
                #expect(pair.run(atMost: .seconds(5)) { pair.has(.writable, .a) })
                try end.send(message(taken, bytes: size), now: pair.now)
                #expect(
                    pair.run(atMost: .seconds(20)) { pair.received[1].count == taken + 1 && end.bufferedBytes == 0 })
            }
        }
    }

    @Test func `Who takes no messages makes the other wait, and nothing is lost`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected()
            let (sender, receiver) = (try #require(pair.a), try #require(pair.b))
            let size = 131_072
            let messages = (0..<40).map {
                SCTPMessage(stream: UInt16($0 % 3), .binary, ByteBuffer(repeating: UInt8($0), count: size))
            }
            let first = messages[0]
            try pair.transfer([first], atMost: .seconds(5)) { pair.received[1].count == 1 }
            receiver.setReceiving(false, now: pair.now)
            var sent = 1
            for _ in 0..<6 {
                while sent < messages.count, (try? sender.send(messages[sent], now: pair.now)) != nil { sent += 1 }
                pair.run(for: .milliseconds(500))
            }
            // What the two have memory for, and no more.
            #expect(pair.received[1] == [first] && pair.events[1] == [.connected])
            #expect(sent < messages.count && sender.bufferedBytes > Limits.sctpSendBuffer - 2 * size)
            #expect((sent - 1) * size > Limits.sctpReceiveBuffer / 2)
            #expect((sent - 1) * size - sender.bufferedBytes <= Limits.sctpReceiveBuffer)
            // The other way nothing is held up.
            try pair.transfer([first], from: .b, atMost: .seconds(5)) { pair.received[0].count == 1 }

            receiver.setReceiving(true, now: pair.now)
            receiver.setReceiving(true, now: pair.now)
            pair.drain()
            try pair.transfer(Array(messages[sent...]), atMost: .seconds(60)) {
                pair.received[1].count == messages.count
            }
            for stream: UInt16 in 0..<3 {
                #expect(
                    pair.received[1].filter { $0.stream == stream } == messages.filter { $0.stream == stream })
            }
        }
    }

    @Test func `An abort ends both sides in order, from any state`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected()
            try pair.a?.send(message(1, bytes: 200_000), now: pair.now)
            pair.a?.abort(now: pair.now)
            #expect(pair.a?.poll() == .closed(nil))
            #expect(pair.a?.deadline == .distantFuture)
            #expect(pair.run(atMost: .seconds(1)) { pair.has(.closed(nil), .b) })
            #expect(pair.events[1].last == .closed(nil))

            let unstarted = SCTPPair()
            unstarted.a?.abort(now: unstarted.now)
            #expect(unstarted.a?.poll() == .closed(nil))
            unstarted.a?.start(now: unstarted.now)
            #expect(unstarted.a?.poll() == nil)

            let connecting = SCTPPair()
            connecting.a?.start(now: connecting.now)
            connecting.a?.abort(now: connecting.now)
            connecting.a?.abort(now: connecting.now)
            connecting.drain()
            #expect(connecting.events[0] == [.closed(nil)])
        }
    }

    @Test func `Deadlines are near while something is outstanding and far when idle`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected()
            let end = try #require(pair.a)
            pair.run(for: .seconds(3))
            end.timedOut(now: pair.now)
            #expect(end.deadline == pair.now + Limits.sctpIdleTick)
            let packets = pair.packetCount
            pair.run(for: .seconds(600))
            #expect(pair.packetCount == packets, "an idle association is silent")
            // After ten minutes of silence no timer may fire early.
            try end.send(message(1, bytes: 10), now: pair.now)
            #expect(end.deadline == pair.now + Limits.sctpTick)
            #expect(pair.run(atMost: .seconds(1)) { pair.received[1].count == 1 && end.bufferedBytes == 0 })
            #expect(end.statistics.retransmittedChunks == 0)
        }
    }

    @Test func `Figures are those of the association`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected()
            let end = try #require(pair.a)
            #expect(end.statistics.roundTrip != nil)
            #expect(end.statistics.congestionWindow >= 10 * 1100)
            try end.send(message(1, bytes: 20_000), now: pair.now)
            #expect(end.statistics.unacknowledgedChunks > 0)
            #expect(end.bufferedBytes == 20_000)
            #expect(pair.run(atMost: .seconds(1)) { end.bufferedBytes == 0 })
            #expect(end.statistics.unacknowledgedChunks == 0)
            pair.faults.loss = 1
            try end.send(message(1, bytes: 100), now: pair.now)
            pair.drain()
            pair.faults.loss = 0
            #expect(pair.run(atMost: .seconds(1)) { end.bufferedBytes == 0 })
            #expect(end.statistics.retransmittedChunks == 1)
            #expect(pair.b?.statistics.retransmittedChunks == 0)
        }
    }
}
