package import Channels
import DequeModule
package import NIOCore
import WebRTC
import Wire

/// Streams of a ``WebRTCConnection``: what the application asks for, as of a `Connection`, and the channels beneath.
extension WebRTCConnection {
    /// Opens a stream and proposes `protocols`, best first; see `Connection.open`.
    package func open(_ protocols: [String], now: NIODeadline) throws(StreamError) -> StreamID {
        lastNow = now
        guard case .open = state else { throw .notConnected }
        return try streams.open(protocols, now: now)
    }

    /// Queues bytes on a stream; nothing is lost or limited here: look at ``bufferedAmount(of:)``. Ignored for a
    /// stream that is gone or whose writing side is closed.
    package func write(_ bytes: ByteBuffer, to stream: StreamID, now: NIODeadline) {
        lastNow = now
        streams.write(bytes, to: stream)
    }

    /// Bytes written to a stream and not taken by its channel yet; `writable` speaks of these. The channel itself holds
    /// `Limits.channelBuffered` at most.
    package func bufferedAmount(of stream: StreamID) -> Int { streams.bufferedAmount(of: stream) }

    /// No more writes: the remote sees the end of the stream after everything queued.
    package func closeWrite(_ stream: StreamID, now: NIODeadline) {
        lastNow = now
        streams.closeWrite(stream)
    }

    /// Ends a stream at once, both ways. Its last output follows.
    package func reset(_ stream: StreamID, now: NIODeadline) {
        lastNow = now
        streams.reset(stream, now: now)
    }

    /// The consumer dealt with `count` received bytes; a stream on which that never happens is reset in the end.
    package func consumed(_ count: Int, of stream: StreamID, now: NIODeadline) {
        lastNow = now
        streams.session.consumed(count, of: stream, now: now)
    }

    // MARK: Channels

    private func waiting(on stream: StreamID) -> Int {
        channels[stream].map { peerConnection.bufferedAmount(of: $0) } ?? 0
    }

    /// Lets everything say all it has to say, until nothing follows from it any more.
    func pump() {
        var isBusy = true
        while isBusy {
            isBusy = false
            while let output = peerConnection.poll() {
                isBusy = true
                act(on: output)
            }
            if case .open = state {
                while let output = streams.session.poll() {
                    isBusy = true
                    act(on: output)
                }
            }
            while !isOver, let command = streams.session.nextCommand(now: lastNow, buffered: { waiting(on: $0) }) {
                isBusy = true
                carryOut(command)
            }
            if !isOver, isReceiving != streams.session.isReceiving {
                isBusy = true
                isReceiving = streams.session.isReceiving
                peerConnection.setReceiving(isReceiving, now: lastNow)
            }
        }
    }

    private func act(on output: PeerConnection.Output) {
        switch output {
        case .send(let datagrams, let path): outputs.append(.send(datagrams, on: path))
        case .candidate(let candidate): outputs.append(.candidate(candidate))
        case .relayPipe(let id, let command): outputs.append(.relayPipe(id, command))
        case .relayFailed(let server, let error): outputs.append(.relayFailed(server, error))
        case .state(.disconnected): if case .open = state { outputs.append(.silent(true)) }
        case .state(.connected): if case .open = state { outputs.append(.silent(false)) }
        case .state: break
        case .path(let path): outputs.append(.path(path))
        case .phase(let phase, took: _): completed(phase, now: lastNow)
        case .connected(let fingerprint): connected(fingerprint)
        case .channelOpened(let channel, let info):
            if isChannelZero(channel) { return channelZeroOpened() }
            if isFirstChannel(channel, info) { return firstChannelOpened(channel, info) }
            guard info.isRemote, !isOver else { return }
            guard let id = streams.session.channelOpened(now: lastNow) else {
                return peerConnection.close(channel, now: lastNow)
            }
            join(id, channel)
        case .received(let channel, let message):
            if isChannelZero(channel) { return receivedOnChannelZero(message.bytes) }
            guard let id = streamIDs[channel] else { return }
            streams.session.received(message.bytes, on: id, now: lastNow)
        case .bufferedAmountLow(let channel):
            guard let id = streamIDs[channel] else { return }
            streams.session.channelDrained(id, buffered: peerConnection.bufferedAmount(of: channel))
        case .channelClosed(let channel):
            if isChannelZero(channel) { return channelZeroClosed() }
            guard let id = streamIDs.removeValue(forKey: channel) else { return }
            channels[id] = nil
            streams.session.channelClosed(id)
        case .closed(let error): peerConnectionClosed(error)
        }
    }

    private func act(on output: ChannelSession.Output) {
        switch output {
        case .opened(let id): streams.opened(id, now: lastNow)
        case .received(let id, let bytes): streams.received(bytes, on: id, now: lastNow)
        case .endOfStream(let id): streams.ended(id, now: lastNow)
        case .closed(let id, let end): streams.closed(id, end, now: lastNow)
        case .writable(let id): streams.becameWritable(id)
        case .flooded: finish(.streamFlood)
        }
    }

    private func carryOut(_ command: ChannelSession.Command) {
        switch command {
        case .open(let id):
            do throws(DataChannelError) {
                join(id, try peerConnection.open(DataChannelOptions(), now: lastNow))
            } catch {
                streams.session.channelClosed(id)
            }
        case .send(let id, let frame):
            guard let channel = channels[id] else { return }
            do throws(DataChannelError) {
                try peerConnection.send(.binary(frame), on: channel, now: lastNow)
            } catch {
                // Only a channel that is about to be reported closed takes no frame of ours.
                streams.session.channelClosed(id)
            }
        case .awaitDrain(let id):
            let left = waiting(on: id)
            if left == 0 {
                streams.session.channelDrained(id, buffered: 0)
            } else if let channel = channels[id] {
                peerConnection.setBufferedAmountLowThreshold(0, of: channel)
            }
        case .close(let id):
            guard let channel = channels.removeValue(forKey: id) else { return }
            streamIDs[channel] = nil
            peerConnection.close(channel, now: lastNow)
        }
    }

    private func join(_ id: StreamID, _ channel: DataChannelID) {
        channels[id] = channel
        streamIDs[channel] = id
        peerConnection.setBufferedAmountLowThreshold(Limits.channelBufferedLow, of: channel)
    }
}
