import DequeModule
public import NIOCore
public import Node
public import Wire

/// A stream of an application's own protocol: bytes in order both ways, each way ended on its own.
///
/// One task may read while another writes; two readers or two writers at once are refused.
public struct PeerStream: Sendable {
    /// Who is on the other side.
    public let peer: PeerID
    /// The protocol both sides agreed on.
    public let protocolID: String
    let key: StreamKey
    let owner: Peer

    /// The next bytes; nil when the remote has written all it will.
    ///
    /// Taking them lets the remote send as many more: a reader that stops reading stops the writer.
    public func read() async throws(PeerError) -> ByteBuffer? { try await owner.read(key) }

    /// Sends bytes; waits while a quarter of a megabyte is on its way.
    public func write(_ bytes: ByteBuffer) async throws(PeerError) { try await owner.write(bytes, to: key) }

    /// Says that nothing more will be written; reading goes on.
    public func closeWrite() async { await owner.command(.closeWrite, on: key) }

    /// Gives the stream up, both ways, at once.
    public func reset() async { await owner.command(.reset, on: key) }
}

/// What the runtime keeps of an application's stream. A class, so that its inbox is changed in place.
final class StreamState {
    var inbox: Deque<ByteBuffer> = []
    var isEnded = false
    var isReset = false
    /// Nothing more happens on it; forgotten once its last bytes are read.
    var isClosed = false
    /// The application gave it up: nobody will read to its end.
    var isAbandoned = false
    var isWritable = true
    var reader: CheckedContinuation<Void, Never>?
    var writer: CheckedContinuation<Void, Never>?
}

/// Streams that peers opened and nobody took yet.
struct AcceptedStreams {
    var ready: Deque<PeerStream> = []
    var taker: CheckedContinuation<Void, Never>?
}

extension Peer {
    /// Opens a stream to a connected peer on the first of these protocols that it speaks.
    public func openStream(to peer: PeerID, protocols: [String]) async throws(PeerError) -> PeerStream {
        guard case .stream(let key, let name) = try await ask(.openStream(peer, protocols: protocols)) else {
            throw Self.mismatch
        }
        if streams[key] == nil { streams[key] = StreamState() }
        return PeerStream(peer: peer, protocolID: name, key: key, owner: self)
    }

    /// The next stream that a peer opened on one of `PeerConfiguration.protocols`; nil once this peer has left.
    ///
    /// At most ``Limits/acceptedStreams`` wait; further ones are reset.
    public func acceptStream() async -> PeerStream? {
        while accepted.ready.isEmpty {
            guard !isShutDown, accepted.taker == nil else { return nil }
            await withCheckedContinuation { waiting in
                // The task may have left the loop since it asked: it asks again where the waiting begins.
                guard accepted.ready.isEmpty, !isShutDown, accepted.taker == nil else { return waiting.resume() }
                accepted.taker = waiting
            }
        }
        return accepted.ready.popFirst()
    }

    func streamEvent(_ event: NodeCore.StreamEvent, on key: StreamKey) {
        if case .accepted(let peer, let name) = event {
            guard accepted.ready.count < Limits.acceptedStreams else { return feed(.stream(key, .reset)) }
            streams[key] = StreamState()
            accepted.ready.append(PeerStream(peer: peer, protocolID: name, key: key, owner: self))
            accepted.taker.take()?.resume()
            return
        }
        // What comes before `openStream` has returned is kept for it.
        let state = streams[key] ?? StreamState()
        streams[key] = state
        switch event {
        case .accepted: break
        case .received(let bytes): state.inbox.append(bytes)
        case .endOfStream: state.isEnded = true
        case .writable: state.isWritable = true
        case .closed(let reset):
            state.isEnded = true
            state.isClosed = true
            state.isWritable = true
            state.isReset = state.isReset || reset
            if state.isAbandoned { streams[key] = nil }
        }
        if case .writable = event {} else { state.reader.take()?.resume() }
        if state.isWritable { state.writer.take()?.resume() }
    }

    fileprivate func read(_ key: StreamKey) async throws(PeerError) -> ByteBuffer? {
        while true {
            guard let state = streams[key] else { return nil }
            if let bytes = state.inbox.popFirst() {
                handle(.stream(key, .consumed(bytes.readableBytes)))
                return bytes
            }
            if state.isClosed { streams[key] = nil }
            guard !state.isReset else { throw PeerError(.closed, "the stream was reset") }
            if state.isEnded { return nil }
            guard state.reader == nil else { throw PeerError(.invalid, "two tasks read one stream") }
            await withCheckedContinuation { waiting in
                guard state.inbox.isEmpty, !state.isEnded, !state.isReset, state.reader == nil else {
                    return waiting.resume()
                }
                state.reader = waiting
            }
        }
    }

    fileprivate func write(_ bytes: ByteBuffer, to key: StreamKey) async throws(PeerError) {
        while let state = streams[key], !state.isWritable {
            guard state.writer == nil else { throw PeerError(.invalid, "two tasks write one stream") }
            await withCheckedContinuation { waiting in
                guard !state.isWritable, state.writer == nil else { return waiting.resume() }
                state.writer = waiting
            }
        }
        guard let state = streams[key], !state.isReset else { throw PeerError(.closed, "the stream is closed") }
        handle(.stream(key, .write(bytes)))
        // Above the high water the connection announces when there is room again.
        if core.bufferedAmount(of: key) > Limits.streamSendHighWater { streams[key]?.isWritable = false }
    }

    fileprivate func command(_ command: NodeCore.StreamCommand, on key: StreamKey) {
        if case .reset = command, let state = streams[key] {
            state.isReset = true
            state.isAbandoned = true
            if state.isClosed { streams[key] = nil }
        }
        handle(.stream(key, command))
    }
}
