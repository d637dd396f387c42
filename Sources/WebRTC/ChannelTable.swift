import DequeModule
import OrderedCollections
import Wire

/// The channels of a connection, by name and by stream, and the streams that are free.
///
/// The DTLS client opens even streams, the server odd ones (RFC 8832 §6). aiortc before 1.16 counts by the ICE role: a
/// remote whose first announcement comes on our parity makes us use the other one.
struct ChannelTable {
    private(set) var channels: OrderedDictionary<DataChannelID, DataChannel> = [:]
    private var streams: [UInt16: DataChannelID] = [:]
    private var lastID: UInt32 = 0
    /// 0: even, 1: odd; nil while the DTLS role is unknown.
    private var parity: UInt16?
    private var isParityProven = false
    /// Streams of our parity not used yet start here.
    private var nextStream: UInt16 = 0
    /// Streams used before whose both directions were reset.
    private var freed: Deque<UInt16> = []
    /// Channels with something to send, whose turn it is first.
    private var ready: Deque<DataChannel> = []
    /// Channels whose streams do not exist yet.
    private(set) var starved: [DataChannelID] = []
    /// Streams once agreed on by other means: what they mean is fixed, they are no channel of ours later.
    private var reserved: Set<UInt16> = []

    subscript(id: DataChannelID) -> DataChannel? { channels[id] }

    subscript(stream stream: UInt16) -> DataChannelID? { streams[stream] }

    var count: Int { channels.count }
    var openCount: Int { channels.values.count { $0.state == .open } }

    mutating func decide(role: DTLSRole) {
        guard parity == nil else { return }
        parity = role == .client ? 0 : 1
        nextStream = parity ?? 0
    }

    /// Adds a channel; `stream` nil: assigned later.
    mutating func add(
        _ options: DataChannelOptions, isRemote: Bool, state: DataChannel.State, stream: UInt16?
    ) -> DataChannelID {
        lastID += 1
        let id = DataChannelID(lastID)
        let channel = DataChannel(id, options, isRemote: isRemote, state: state)
        channel.stream = stream
        channels[id] = channel
        if let stream {
            streams[stream] = id
            if options.negotiatedID != nil { reserved.insert(stream) }
        }
        return id
    }

    // MARK: Turns

    /// Puts a channel with something to send at the end of the line, once.
    mutating func line(up id: DataChannelID) {
        if let channel = channels[id] { line(up: channel) }
    }

    /// The same.
    mutating func line(up channel: DataChannel) {
        guard !channel.isReady, !channel.queue.isEmpty else { return }
        channel.isReady = true
        ready.append(channel)
    }

    /// Whether another channel stands in the line.
    var hasReady: Bool { !ready.isEmpty }

    /// The channel whose turn it is; it leaves the line.
    mutating func next() -> DataChannel? {
        while let channel = ready.popFirst() {
            channel.isReady = false
            if !channel.queue.isEmpty { return channel }
        }
        return nil
    }

    /// It could not be served: it stays the first.
    mutating func goBack(_ channel: DataChannel) {
        channel.isReady = true
        ready.prepend(channel)
    }

    /// Its stream does not exist yet.
    mutating func starve(_ id: DataChannelID) { starved.append(id) }

    /// More streams exist: those who waited for them line up again.
    mutating func feed() {
        let waiting = starved
        starved = []
        for id in waiting { line(up: id) }
    }

    // MARK: Streams

    /// A free stream of our parity for a channel that has none; nil when there is none.
    mutating func assignStream(to id: DataChannelID) -> UInt16? {
        guard let parity, let channel = channels[id], channel.stream == nil else { return nil }
        var found: UInt16?
        while found == nil, let stream = freed.popFirst() {
            if isFree(stream, parity) { found = stream }
        }
        while found == nil, nextStream < Limits.channelStreams {
            if isFree(nextStream, parity) { found = nextStream }
            nextStream += 2
        }
        guard let found else { return nil }
        streams[found] = id
        channel.stream = found
        return found
    }

    private func isFree(_ stream: UInt16, _ parity: UInt16) -> Bool {
        stream & 1 == parity && streams[stream] == nil && !reserved.contains(stream)
    }

    /// The remote announced a channel on this stream: the first one tells by which rule it counts.
    mutating func remoteUsed(_ stream: UInt16) {
        guard let ours = parity, !isParityProven else { return }
        isParityProven = true
        guard stream & 1 == ours else { return }
        parity = 1 - ours
        nextStream = 1 - ours
        freed = []
    }

    /// The channel is gone; its stream may be used again.
    mutating func remove(_ id: DataChannelID) -> DataChannel? {
        guard let channel = channels.removeValue(forKey: id) else { return nil }
        if channel.isReady { ready.removeAll { $0 === channel } }
        if let stream = channel.stream {
            streams[stream] = nil
            starved.removeAll { $0 == id }
            if let parity, isFree(stream, parity), freed.count < Int(Limits.channelStreams) / 2 { freed.append(stream) }
        }
        return channel
    }
}
