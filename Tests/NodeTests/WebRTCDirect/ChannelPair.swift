import Channels
import NIOCore
import StreamConformance
import Wire

@testable import Node

/// Two sessions over data channels that a test carries: ordered each, but not among each other.
///
/// To the suite, a stream has the number its opener gave it.
final class ChannelPair: MuxerPair {
    private enum Item { case open, message(ByteBuffer), close }

    private struct Side {
        var streams: NegotiatedStreams<ChannelSession>
        var events: [Connection.Output] = []
        /// The channel of each stream, and the other way round.
        var channels: [StreamID: StreamID] = [:]
        var ids: [StreamID: StreamID] = [:]
        /// What is on its way from here, by channel.
        var link: [StreamID: [Item]] = [:]
        var buffered: [StreamID: Int] = [:]
    }

    private var sides: [Side]
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private var coin = false

    init() {
        sides = [Role.dialer, .listener].map { role in
            var session = ChannelSession(role: role, inboundLimit: Limits.streamsPerConnection)
            session.established()
            return Side(streams: NegotiatedStreams(session: session, inboundProtocols: ["/echo/1"]))
        }
    }

    func session(_ side: Int) -> ChannelSession { sides[side].streams.session }

    private func id(_ channel: StreamID, _ side: Int) -> StreamID { sides[side].ids[channel] ?? channel }

    func open(on side: Int) throws -> StreamID {
        coin.toggle()
        let id = try sides[side].streams.open(coin ? ["/echo/1"] : ["/other/1", "/echo/1"], now: now)
        sides[side].channels[id] = id
        sides[side].ids[id] = id
        pump(side)
        return id
    }
    func write(_ bytes: ByteBuffer, to channel: StreamID, on side: Int) {
        sides[side].streams.write(bytes, to: id(channel, side))
        pump(side)
    }
    func closeWrite(_ channel: StreamID, on side: Int) {
        sides[side].streams.closeWrite(id(channel, side))
        pump(side)
    }
    func reset(_ channel: StreamID, on side: Int) {
        sides[side].streams.reset(id(channel, side), now: now)
        pump(side)
    }
    func consumed(_ count: Int, of channel: StreamID, on side: Int) {
        sides[side].streams.session.consumed(count, of: id(channel, side), now: now)
        pump(side)
    }
    func streamCount(on side: Int) -> Int { sides[side].streams.session.streamCount }
    func takeEvents(of side: Int) -> [Connection.Output] {
        defer { sides[side].events = [] }
        return sides[side].events.map { translated($0, side) }
    }

    private func translated(_ event: Connection.Output, _ side: Int) -> Connection.Output {
        func channel(_ id: StreamID) -> StreamID { sides[side].channels[id] ?? id }
        return switch event {
        case .streamOpened(let id, let name): .streamOpened(channel(id), protocol: name)
        case .streamRefused(let id, let why): .streamRefused(channel(id), why)
        case .streamAccepted(let id, let name): .streamAccepted(channel(id), protocol: name)
        case .received(let id, let bytes): .received(channel(id), bytes)
        case .endOfStream(let id): .endOfStream(channel(id))
        case .streamClosed(let id, let end): .streamClosed(channel(id), end)
        case .writable(let id): .writable(channel(id))
        case .send, .established, .roundTrip, .closed: event
        }
    }

    /// Carries out what one side wants.
    private func pump(_ side: Int) {
        while true {
            while let output = sides[side].streams.session.poll() {
                switch output {
                case .opened(let id): sides[side].streams.opened(id, now: now)
                case .received(let id, let bytes): sides[side].streams.received(bytes, on: id, now: now)
                case .endOfStream(let id): sides[side].streams.ended(id, now: now)
                case .closed(let id, let end): sides[side].streams.closed(id, end, now: now)
                case .writable(let id): sides[side].streams.becameWritable(id)
                case .flooded: sides[side].events.append(.closed(.pipeClosed))
                }
            }
            let (channels, buffered) = (sides[side].channels, sides[side].buffered)
            let command = sides[side].streams.session.nextCommand(now: now) { id in
                channels[id].flatMap { buffered[$0] } ?? 0
            }
            guard let command else { break }
            carryOut(command, side)
        }
        while let output = sides[side].streams.poll() { sides[side].events.append(output) }
    }

    private func carryOut(_ command: ChannelSession.Command, _ side: Int) {
        switch command {
        case .open(let id): sides[side].link[id, default: []].append(.open)
        case .send(let id, let frame):
            let channel = sides[side].channels[id] ?? id
            sides[side].link[channel, default: []].append(.message(frame))
            sides[side].buffered[channel, default: 0] += frame.readableBytes
        case .awaitDrain(let id):
            let channel = sides[side].channels[id] ?? id
            if sides[side].buffered[channel, default: 0] == 0 {
                sides[side].streams.session.channelDrained(id, buffered: 0)
            }
        case .close(let id): sides[side].link[sides[side].channels[id] ?? id, default: []].append(.close)
        }
    }

    func step(using entropy: inout Entropy) -> Bool {
        now = now + .microseconds(Int64.random(in: 0...500, using: &entropy))
        for side in 0...1 where deadline(side) <= now { expire(side) }
        let busy = (0...1).flatMap { side in
            sides[side].link.filter { !$0.value.isEmpty }.keys.sorted().map { (side, $0) }
        }
        guard let (side, channel) = busy.randomElement(using: &entropy) else {
            let next = min(deadline(0), deadline(1))
            guard next < .distantFuture else { return false }
            now = max(now, next)
            for side in 0...1 where deadline(side) <= now { expire(side) }
            return true
        }
        for _ in 0..<Int.random(in: 1...4, using: &entropy) where sides[side].link[channel]?.isEmpty == false {
            if let item = sides[side].link[channel]?.removeFirst() { deliver(item, of: channel, from: side) }
        }
        return true
    }

    private func deadline(_ side: Int) -> NIODeadline {
        min(sides[side].streams.session.deadline, sides[side].streams.deadline)
    }

    private func expire(_ side: Int) {
        sides[side].streams.session.timedOut(now: now)
        sides[side].streams.timedOut(now: now)
        pump(side)
    }

    private func deliver(_ item: Item, of channel: StreamID, from side: Int) {
        let other = 1 - side
        switch item {
        case .open:
            if let id = sides[other].streams.session.channelOpened(now: now) {
                sides[other].channels[id] = channel
                sides[other].ids[channel] = id
            } else {
                sides[other].link[channel, default: []].append(.close)
            }
        case .message(let bytes):
            sides[side].buffered[channel, default: 0] -= bytes.readableBytes
            let left = sides[side].buffered[channel, default: 0]
            if left < Limits.channelBufferedLow {
                sides[side].streams.session.channelDrained(id(channel, side), buffered: left)
                pump(side)
            }
            if let id = sides[other].ids[channel] {
                sides[other].streams.session.received(bytes, on: id, now: now)
            }
        case .close:
            if let id = sides[other].ids[channel] { sides[other].streams.session.channelClosed(id) }
        }
        pump(other)
    }
}
