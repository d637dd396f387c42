import DequeModule
package import NIOCore
import OrderedCollections
import Wire

/// Channels: opening, sending, receiving, closing.
extension PeerConnection {
    // MARK: What the owner asks for

    /// Opens a channel; may be asked for before the connection stands. `channelOpened` or `channelClosed` follows.
    /// Messages may be sent at once: they travel behind the announcement.
    package func open(_ options: DataChannelOptions, now: NIODeadline) throws(DataChannelError) -> DataChannelID {
        guard !isOver else { throw .closed }
        guard table.count < configuration.channels else { throw .tooManyChannels }
        guard options.label.utf8.count + options.subprotocol.utf8.count <= Limits.dcepMessage / 2 else {
            throw .invalidOptions
        }
        if let stream = options.negotiatedID {
            guard stream <= Limits.channelStreams, table[stream: stream] == nil else { throw .invalidOptions }
            let id = table.add(options, isRemote: false, state: isAssociated ? .open : .pending, stream: stream)
            if isAssociated { opened(id, now: now) }
            return id
        }
        let id = table.add(options, isRemote: false, state: .pending, stream: nil)
        if isAssociated {
            announce(id, now: now)
            flush(now: now)
        }
        return id
    }

    /// Sends a message; it waits in the channel while SCTP has no room.
    package func send(
        _ message: DataChannelMessage, on id: DataChannelID, now: NIODeadline
    ) throws(DataChannelError) {
        guard !isOver, let channel = table[id], channel.state != .closing else { throw .closed }
        let length = message.bytes.readableBytes
        let limit = remote.map { $0.largestMessage == 0 ? Limits.sctpMessage : $0.largestMessage }
        if let limit, length > min(limit, Limits.sctpMessage) { throw .tooLarge(limit: min(limit, Limits.sctpMessage)) }
        if channel.options.requiresSingleDatagram, length > largestDatagramMessage {
            throw .tooLargeForDatagram(limit: largestDatagramMessage)
        }
        guard channel.bufferedAmount + length <= Limits.channelQueue else { throw .bufferFull }
        let payload: PayloadProtocol =
            switch message {
            case .text: length == 0 ? .emptyText : .text
            case .binary: length == 0 ? .emptyBinary : .binary
            }
        enqueue(payload, length == 0 ? ByteBuffer(bytes: [0]) : message.bytes, on: id)
        flush(now: now)
    }

    /// Bytes of messages that SCTP has not taken.
    package func bufferedAmount(of id: DataChannelID) -> Int { table[id]?.bufferedAmount ?? 0 }

    /// Of all channels, and what SCTP has taken and the remote not acknowledged.
    package var unacknowledgedBytes: Int { sctp?.bufferedBytes ?? 0 }

    /// `bufferedAmountLow` follows whenever what waits falls to so many bytes.
    package func setBufferedAmountLowThreshold(_ bytes: Int, of id: DataChannelID) {
        table[id]?.setLowThreshold(bytes)
    }

    /// Closes a channel: what waits leaves first. `channelClosed` follows when the remote has closed it too.
    package func close(_ id: DataChannelID, now: NIODeadline) {
        guard !isOver, let channel = table[id], channel.state != .closing else { return }
        guard channel.stream != nil, isAssociated else { return gone(id) }
        table[id]?.state = .closing
        reset(id, now: now)
        flush(now: now)
    }

    /// Bytes of a message that one datagram carries: what is left of a packet behind SCTP's headers.
    package var largestDatagramMessage: Int {
        (dtls?.largestPacket ?? Limits.datagramPayload - 37) - 28
    }

    // MARK: SCTP

    func drainSCTP(now: NIODeadline) {
        while !isOver, let event = sctp?.poll() {
            switch event {
            case .connected: associated(now: now)
            case .received(let message): received(message, now: now)
            case .writable: isBlocked = false
            case .streamsAdded:
                table.ready.append(contentsOf: table.starved)
                table.starved = []
            case .remoteReset(let streams): for stream in streams { remoteReset(stream, now: now) }
            case .localReset(let streams, _):
                for stream in streams {
                    guard let id = table[stream: stream], table[id]?.hasAskedReset == true else { continue }
                    table[id]?.isReset = true
                    if table[id]?.isOver == true { gone(id) }
                }
            case .closed(let error): return finish(error.map { .sctp($0) }, now: now)
            }
        }
        sendWhatWaits(now: now)
    }

    private func associated(now: NIODeadline) {
        guard !isAssociated, let fingerprint = remoteFingerprint else { return }
        isAssociated = true
        sctpDeadline = .distantFuture
        completed(.sctp, now: now)
        become(.connected)
        outputs.append(.connected(remoteFingerprint: fingerprint))
        for id in table.channels.keys where table[id]?.state == .pending {
            if table[id]?.options.negotiatedID != nil { opened(id, now: now) } else { announce(id, now: now) }
        }
    }

    /// Gives a channel its stream and puts the announcement before everything that waits.
    private func announce(_ id: DataChannelID, now: NIODeadline) {
        guard let stream = table.assignStream(to: id), let channel = table[id] else { return gone(id) }
        if Int(stream) >= sctp?.outboundStreams ?? 0 { sctp?.addStreams(64, now: now) }
        let waiting = channel.queue
        channel.dropQueue()
        channel.append(.dcep, DCEPMessage.open(channel.options).encoded)
        for (payload, bytes) in waiting { channel.append(payload, bytes) }
        channel.state = .opening
        table.ready.append(id)
    }

    private func opened(_ id: DataChannelID, now: NIODeadline) {
        table[id]?.state = .open
        guard let channel = table[id], let stream = channel.stream else { return }
        outputs.append(.channelOpened(id, channel.info))
        if !channel.queue.isEmpty { table.ready.append(id) }
        for message in orphans.take(stream) { received(message, now: now) }
    }

    // MARK: Messages in

    private func received(_ message: SCTPMessage, now: NIODeadline) {
        if message.payloadProtocol == .dcep { return receivedDCEP(message, now: now) }
        guard let id = table[stream: message.stream], let state = table[id]?.state else {
            return orphans.append(message)
        }
        switch state {
        case .pending: return
        case .opening: opened(id, now: now)  // data says as much as the acknowledgement
        case .open: break
        case .closing: if table[id]?.isRemoteReset == true { return }
        }
        switch message.payloadProtocol.rawValue {
        case 51, 54: outputs.append(.received(id, .text(message.bytes)))
        case 53, 52: outputs.append(.received(id, .binary(message.bytes)))
        case 56: outputs.append(.received(id, .text(ByteBuffer())))
        case 57: outputs.append(.received(id, .binary(ByteBuffer())))
        default: figures.datagramsDropped += 1
        }
    }

    private func receivedDCEP(_ message: SCTPMessage, now: NIODeadline) {
        let existing = table[stream: message.stream]
        guard let parsed = try? DCEPMessage(parsing: message.bytes) else {
            // RFC 8832 §6: what is no message of the protocol ends the channel.
            if let existing { close(existing, now: now) } else { sctp?.resetStreams([message.stream], now: now) }
            return
        }
        switch parsed {
        case .acknowledge:
            if let existing, table[existing]?.state == .opening { opened(existing, now: now) }
        case .open(let options):
            // A second announcement, or one on a stream of ours, changes nothing that stands.
            guard existing == nil, message.stream <= Limits.channelStreams else { return }
            guard table.count < configuration.channels else {
                sctp?.resetStreams([message.stream], now: now)
                return
            }
            table.remoteUsed(message.stream)
            let id = table.add(options, isRemote: true, state: .open, stream: message.stream)
            enqueue(.dcep, DCEPMessage.acknowledge.encoded, on: id)
            opened(id, now: now)
        }
    }

    // MARK: Messages out

    private func enqueue(_ payload: PayloadProtocol, _ bytes: ByteBuffer, on id: DataChannelID) {
        let wasEmpty = table[id]?.queue.isEmpty ?? true
        table[id]?.append(payload, bytes)
        if wasEmpty, table[id]?.state != .pending { table.ready.append(id) }
    }

    /// Sends what waits, and everything that follows from it.
    private func flush(now: NIODeadline) {
        sendWhatWaits(now: now)
        drainPackets(now: now)
        drainDatagrams()
    }

    /// One message of each channel in turn, until nothing waits or SCTP has no room.
    private func sendWhatWaits(now: NIODeadline) {
        guard isAssociated, let sctp else { return }
        while !isBlocked, let id = table.ready.popFirst() {
            guard let channel = table[id], let stream = channel.stream, let message = channel.first(on: stream) else {
                continue
            }
            do throws(SCTPSendError) {
                try sctp.send(message, now: now)
            } catch .wouldBlock {
                isBlocked = true
                table.ready.prepend(id)
                return
            } catch .noStream {
                // More streams were asked for; nobody else need wait for them.
                table.starved.append(id)
                continue
            } catch .tooLarge {
                // Larger than the engine can: refused when it was sent, unless the engine is smaller than its promise.
                figures.datagramsDropped += 1
            } catch { return }
            if table[id]?.popFirst() == true { outputs.append(.bufferedAmountLow(id)) }
            if table[id]?.queue.isEmpty == false { table.ready.append(id) } else { reset(id, now: now) }
        }
    }

    // MARK: Closing

    /// Asks for the reset of a closing channel's stream once its queue is empty.
    private func reset(_ id: DataChannelID, now: NIODeadline) {
        guard let channel = table[id], channel.state == .closing, !channel.hasAskedReset, channel.queue.isEmpty,
            let stream = channel.stream
        else { return }
        table[id]?.hasAskedReset = true
        sctp?.resetStreams([stream], now: now)
    }

    private func remoteReset(_ stream: UInt16, now: NIODeadline) {
        guard let id = table[stream: stream] else { return }
        table[id]?.isRemoteReset = true
        if table[id]?.isOver == true { return gone(id) }
        // RFC 8831 §6.7: the other direction is reset in answer.
        table[id]?.dropQueue()
        table[id]?.state = .closing
        reset(id, now: now)
    }

    private func gone(_ id: DataChannelID) {
        guard table.remove(id) != nil else { return }
        outputs.append(.channelClosed(id))
    }
}
