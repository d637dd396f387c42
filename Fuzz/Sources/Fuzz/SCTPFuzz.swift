import NIOCore
import WebRTC
import Wire

@testable import Engines

/// Two associations in the midst of a conversation, into which packets are put: per packet a byte that says how, the
/// sixteen bits of its length, and its chunks. Header and sum are made right, most tags, too.
///
/// usrsctp comes with the system and is not compiled with coverage: libFuzzer sees what we do with a packet, and of
/// usrsctp only that it crashes.
enum SCTPFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        var conversation = Conversation()
        conversation.begin()
        var rest = ByteBuffer(bytes: input)
        while let how: UInt8 = rest.readInteger(),
            let chunks = rest.readLengthPrefixedSlice(as: UInt16.self) ?? rest.readSlice(length: rest.readableBytes)
        {
            conversation.put(chunks, how)
        }
        conversation.end()
    }

    private struct Conversation {
        private let ends = (0..<2).map { _ in
            UsrsctpAssociation(streams: 16, largestPacket: 1163, largestMessage: 65_536)
        }
        /// What packets for an end bear.
        private var tags: [UInt32] = [0, 0]
        /// The process's: usrsctp has one clock.
        private static let time = Time()
        private var now: NIODeadline { Self.time.now }

        mutating func begin() {
            for end in ends { end.start(now: now) }
            exchange()
            for (index, end) in ends.enumerated() {
                precondition(end.outboundStreams == 16, "two ends that begin at once are connected at once")
                let bytes = ByteBuffer(repeating: 7, count: 3000)
                let reliability: Reliability = index == 0 ? .reliable : .maxRetransmits(0)
                try? end.send(
                    SCTPMessage(stream: 1, .binary, bytes, isUnordered: index == 1, reliability: reliability), now: now)
            }
        }

        /// Bits of `how`: which end, whether the conversation goes on before, whose tag, and how much later.
        mutating func put(_ chunks: ByteBuffer, _ how: UInt8) {
            let side = Int(how & 1)
            if how & 2 != 0 { exchange() }
            var packet: [UInt8] = [0x13, 0x88, 0x13, 0x88]
            let tag = [tags[side], tags[side], tags[1 - side], 0][Int(how >> 2 & 3)]
            withUnsafeBytes(of: tag.bigEndian) { packet += $0 }
            packet += [0, 0, 0, 0]
            packet += chunks.readableBytesView
            if (SCTPChecksum.shortest...Limits.sctpPacketReceived).contains(packet.count) {
                packet.withUnsafeMutableBytes { SCTPChecksum().fill($0) }
            }
            ends[side].received(ByteBuffer(bytes: packet), now: now)
            if how & 16 != 0 { ends[side].resetStreams([UInt16(how >> 6)], now: now) }
            if how & 32 != 0 { later(by: .milliseconds(200)) }
        }

        mutating func end() {
            for _ in 0..<4 {
                exchange()
                later(by: .milliseconds(500))
            }
            for end in ends {
                precondition(end.outboundStreams <= Limits.sctpOutboundStreams, "more streams than the limit")
                end.abort(now: now)
            }
            exchange()
            // What closing left to usrsctp's timers.
            later(by: .seconds(5))
        }

        private func later(by time: TimeAmount) {
            Self.time.pass(time)
            for end in ends where end.deadline <= now { end.timedOut(now: now) }
        }

        /// Packets go both ways until there are none, or too many.
        private mutating func exchange() {
            var packet = ByteBuffer()
            for _ in 0..<64 {
                var isSilent = true
                for (index, end) in ends.enumerated() {
                    while end.nextPacket(into: &packet) {
                        isSilent = false
                        let tag = packet.getInteger(at: packet.readerIndex + 4, as: UInt32.self) ?? 0
                        if tag != 0 { tags[1 - index] = tag }
                        ends[1 - index].received(packet, now: now)
                    }
                    while end.poll() != nil {}
                }
                if isSilent { return }
                Self.time.pass(.milliseconds(1))
            }
        }
    }

    /// Virtual time, from one input to the next.
    private final class Time: @unchecked Sendable {
        // Sendable: libFuzzer calls from one thread.
        private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        func pass(_ time: TimeAmount) { now = now + time }
    }
}
