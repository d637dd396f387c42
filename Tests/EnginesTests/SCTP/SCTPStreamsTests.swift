import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

@Suite struct SCTPStreamsTests {
    @Test func `A reset waits for what was sent, reaches the remote, and the stream begins anew`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected(PathFaults(delay: 5...12), seed: 4)
            for round in 1...5 {
                let before = pair.received[1].count
                for number in 0..<20 { try pair.a?.send(message(number, bytes: 5000, stream: 7), now: pair.now) }
                pair.a?.resetStreams([7], now: pair.now)
                #expect(throws: SCTPSendError.wouldBlock) {
                    try pair.a?.send(message(0, bytes: 1, stream: 7), now: pair.now)
                }
                let isDone = pair.run(atMost: .seconds(300)) {
                    pair.events[0].filter { $0 == .localReset([7], performed: true) }.count == round
                        && pair.events[1].filter { $0 == .remoteReset([7]) }.count == round
                }
                #expect(isDone, "\(pair.events)")
                #expect(pair.received[1].count == before + 20)
                #expect(pair.has(.writable, .a))
            }
        }
    }

    @Test func `Both ends reset many streams at the same time`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected(PathFaults(loss: 0.05, delay: 5...20), seed: 9)
            let streams = (0..<200).map { UInt16($0) }
            for stream in streams { try pair.a?.send(message(1, bytes: 300, stream: stream), now: pair.now) }
            pair.a?.resetStreams(streams, now: pair.now)
            // One by one at the other end, and some twice.
            for stream in streams { pair.b?.resetStreams([stream, stream], now: pair.now) }
            let reset = { (side: SCTPPair.Side, local: Bool) -> Set<UInt16> in
                Set(
                    pair.events[side.rawValue].flatMap { event -> [UInt16] in
                        switch event {
                        case .localReset(let streams, performed: true) where local: streams
                        case .remoteReset(let streams) where !local: streams
                        default: []
                        }
                    })
            }
            let isDone = pair.run(atMost: .seconds(120)) {
                reset(.a, true).count == 200 && reset(.b, true).count == 200 && reset(.a, false).count == 200
                    && reset(.b, false).count == 200
            }
            #expect(isDone, "\(reset(.a, true).count) \(reset(.b, true).count)")
            for stream in streams { try pair.a?.send(message(2, bytes: 10, stream: stream), now: pair.now) }
            #expect(pair.run(atMost: .seconds(20)) { pair.received[1].count == 400 })
        }
    }

    @Test func `Streams are added both ways when asked for`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected(streams: (16, 16))
            #expect(pair.a?.outboundStreams == 16)
            pair.a?.addStreams(100, now: pair.now)
            let isDone = pair.run(atMost: .seconds(10)) {
                pair.a?.outboundStreams == 116 && pair.b?.outboundStreams == 116
            }
            #expect(isDone, "\(pair.events)")
            #expect(pair.has(.streamsAdded(outbound: 116), .a) && pair.has(.streamsAdded(outbound: 116), .b))
            try pair.a?.send(message(1, bytes: 10, stream: 115), now: pair.now)
            try pair.b?.send(message(1, bytes: 10, stream: 115), now: pair.now)
            #expect(pair.run(atMost: .seconds(5)) { pair.received.allSatisfy { $0.count == 1 } })
            // At the same time, and beside a reset.
            pair.a?.resetStreams([3], now: pair.now)
            pair.a?.addStreams(10, now: pair.now)
            pair.b?.addStreams(10, now: pair.now)
            let hasMore = pair.run(atMost: .seconds(30)) {
                (pair.a?.outboundStreams ?? 0) >= 126 && (pair.b?.outboundStreams ?? 0) >= 126
            }
            #expect(hasMore, "\(pair.events)")
            #expect(pair.run(atMost: .seconds(5)) { pair.has(.localReset([3], performed: true), .a) })
        }
    }

    @Test func `Of the streams asked for there are no more than the limits have`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected(streams: (16, 65_535))
            #expect((pair.b?.outboundStreams ?? 0) <= Limits.sctpInboundStreams)
            pair.a?.addStreams(60_000, now: pair.now)
            pair.run(for: .seconds(20))
            #expect((pair.a?.outboundStreams ?? 0) <= Limits.sctpOutboundStreams)
            try pair.a?.send(message(1, bytes: 10), now: pair.now)
            #expect(pair.run(atMost: .seconds(5)) { pair.received[1].count == 1 })
        }
    }

    @Test func `Streams we do not have cannot be reset`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected(streams: (4, 4))
            pair.a?.resetStreams([4, 100, 65_535], now: pair.now)
            pair.run(for: .seconds(2))
            #expect(pair.events == [[.connected], [.connected]])
        }
    }
}
