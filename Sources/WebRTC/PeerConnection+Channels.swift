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
            due = now
            return id
        }
        let id = table.add(options, isRemote: false, state: .pending, stream: nil)
        if isAssociated { announce(id) }
        due = now
        return id
    }

    /// Sends a message; it waits in the channel while SCTP has no room.
    package func send(
        _ message: DataChannelMessage, on id: DataChannelID, now: NIODeadline
    ) throws(DataChannelError) {
        guard !isOver, let channel = table[id], channel.state != .closing else { throw .closed }
        let length = message.bytes.readableBytes
        guard length <= largestMessage else { throw .tooLarge(limit: largestMessage) }
        if channel.options.requiresSingleDatagram, length > largestDatagramMessage {
            throw .tooLargeForDatagram(limit: largestDatagramMessage)
        }
        guard channel.bufferedAmount + length <= Limits.channelQueue else { throw .bufferFull }
        let payload: PayloadProtocol =
            switch message {
            case .text: length == 0 ? .emptyText : .text
            case .binary: length == 0 ? .emptyBinary : .binary
            }
        enqueue(payload, length == 0 ? ByteBuffer(bytes: [0]) : message.bytes, on: channel)
        due = now
    }

    /// Bytes of a message that both ends can carry.
    package var largestMessage: Int {
        guard let theirs = remote?.largestMessage, theirs > 0 else { return configuration.largestMessage }
        return min(theirs, configuration.largestMessage)
    }

    /// Bytes of messages that SCTP has not taken.
    package func bufferedAmount(of id: DataChannelID) -> Int { table[id]?.bufferedAmount ?? 0 }

    /// False: no further message is received, and in time the remote cannot send any more, on any channel. For an owner
    /// who does not keep up; channels of SCTP have no window of their own.
    package func setReceiving(_ isReceiving: Bool, now: NIODeadline) {
        guard !isOver, let sctp else { return }
        sctp.setReceiving(isReceiving, now: now)
        due = now
    }

    /// Of all channels, and what SCTP has taken and the remote not acknowledged.
    package var unacknowledgedBytes: Int { sctp?.bufferedBytes ?? 0 }

    /// `bufferedAmountLow` follows whenever what waits falls to so many bytes.
    package func setBufferedAmountLowThreshold(_ bytes: Int, of id: DataChannelID) {
        table[id]?.setLowThreshold(bytes)
    }

    /// Closes a channel: what waits leaves first. `channelClosed` follows when the remote has closed it too.
    package func close(_ id: DataChannelID, now: NIODeadline) {
        guard !isOver, let channel = table[id], channel.state != .closing else { return }
        due = now
        // Nothing of it reached the remote, nor soon will.
        guard channel.stream != nil, isAssociated, !table.starved.contains(id) else { return gone(id) }
        channel.state = .closing
        reset(channel, now: now)
    }

    /// Bytes of a message that one datagram carries: what is left of a packet behind SCTP's headers, whole words.
    package var largestDatagramMessage: Int {
        ((dtls?.largestPacket ?? Limits.datagramPayload - 37) - 28) & ~3
    }

    // MARK: SCTP

    func drainSCTP(now: NIODeadline) -> Bool {
        var hasMoved = false
        while !isOver, let event = sctp?.poll() {
            hasMoved = true
            switch event {
            case .connected: associated(now: now)
            case .received(let message): received(message, now: now)
            case .writable: isBlocked = false
            case .streamsAdded(let outbound):
                streamsAskedFor = outbound
                table.feed()
            case .remoteReset(let streams): for stream in streams { remoteReset(stream, now: now) }
            case .localReset(let streams, let performed):
                for stream in streams { localReset(stream, performed: performed) }
            case .closed(let error): finish(error.map { .sctp($0) }, now: now)
            }
        }
        sendWhatWaits(now: now)
        return hasMoved
    }

    private func associated(now: NIODeadline) {
        guard !isAssociated, let fingerprint = remoteFingerprint else { return }
        isAssociated = true
        stepDeadline = .distantFuture
        completed(.sctp, now: now)
        become(.connected)
        outputs.append(.connected(remoteFingerprint: fingerprint))
        for id in table.channels.keys where table[id]?.state == .pending {
            if table[id]?.options.negotiatedID != nil { opened(id, now: now) } else { announce(id) }
        }
    }

    /// Gives a channel its stream and puts the announcement before everything that waits.
    private func announce(_ id: DataChannelID) {
        guard let channel = table[id], table.assignStream(to: id) != nil else { return gone(id) }
        let waiting = channel.queue
        channel.dropQueue()
        channel.append(.dcep, DCEPMessage.open(channel.options).encoded)
        for (payload, bytes) in waiting { channel.append(payload, bytes) }
        channel.state = .opening
        table.line(up: id)
    }

    private func opened(_ id: DataChannelID, now: NIODeadline) {
        guard let channel = table[id], let stream = channel.stream else { return }
        channel.state = .open
        outputs.append(.channelOpened(id, channel.info))
        table.line(up: id)
        for message in orphans.take(stream) { received(message, now: now) }
    }

    // MARK: Messages in

    func received(_ message: SCTPMessage, now: NIODeadline) {
        if message.payloadProtocol == .dcep { return receivedDCEP(message, now: now) }
        guard let id = table[stream: message.stream], let channel = table[id] else {
            if refused.contains(message.stream) || !orphans.append(message, now: now) { figures.messagesDropped += 1 }
            return
        }
        switch channel.state {
        case .pending: return
        case .opening: opened(id, now: now)  // data says as much as the acknowledgement
        case .open: break
        case .closing: if channel.isRemoteReset || channel.isCrossed { return }
        }
        switch message.payloadProtocol.rawValue {
        case 51, 54: outputs.append(.received(id, .text(message.bytes)))
        case 53, 52: outputs.append(.received(id, .binary(message.bytes)))
        case 56: outputs.append(.received(id, .text(ByteBuffer())))
        case 57: outputs.append(.received(id, .binary(ByteBuffer())))
        default: figures.messagesDropped += 1
        }
    }

    private func receivedDCEP(_ message: SCTPMessage, now: NIODeadline) {
        let existing = table[stream: message.stream].flatMap { table[$0] }
        guard let parsed = try? DCEPMessage(parsing: message.bytes) else {
            figures.messagesDropped += 1
            // RFC 8832 §6: what is no message of the protocol ends the channel.
            if let existing { close(existing.id, now: now) } else { refuse(message.stream, now: now) }
            return
        }
        switch parsed {
        case .acknowledge: if let existing, existing.state == .opening { opened(existing.id, now: now) }
        case .open(let options): announced(options, on: message.stream, existing: existing, now: now)
        }
    }

    /// The remote opens a channel.
    private func announced(
        _ options: DataChannelOptions, on stream: UInt16, existing: DataChannel?, now: NIODeadline
    ) {
        if let existing {
            // The remote saw our reset, which we have not heard of yet: the stream is its own again.
            if existing.state == .closing, existing.isRemoteReset, existing.hasAskedReset {
                gone(existing.id)
            } else {
                // Both took the same stream: neither gets it, and we count by the other rule from now on. A second
                // announcement of a channel that stands changes nothing.
                guard existing.state == .opening else { return }
                table.remoteUsed(stream)
                existing.isCrossed = true
                existing.dropQueue()
                return close(existing.id, now: now)
            }
        }
        guard stream <= Limits.channelStreams, refused.forgive(stream) else { return }
        guard table.count < configuration.channels else { return refuse(stream, now: now) }
        table.remoteUsed(stream)
        let id = table.add(options, isRemote: true, state: .open, stream: stream)
        if let channel = table[id] { enqueue(.dcep, DCEPMessage.acknowledge.encoded, on: channel) }
        opened(id, now: now)
    }

    // MARK: Messages out

    private func enqueue(_ payload: PayloadProtocol, _ bytes: ByteBuffer, on channel: DataChannel) {
        channel.append(payload, bytes)
        if channel.state != .pending, !channel.isReady { table.line(up: channel) }
    }

    /// One message of each channel in turn, until nothing waits or SCTP has no room.
    private func sendWhatWaits(now: NIODeadline) {
        guard isAssociated, let sctp else { return }
        while !isBlocked, let channel = table.next() {
            guard let stream = channel.stream, let message = channel.first(on: stream) else { continue }
            do throws(SCTPSendError) {
                let isFollowed = channel.queue.count > 1 || table.hasReady
                try sctp.send(message, isFollowed: isFollowed, now: now)
            } catch .wouldBlock {
                isBlocked = true
                return table.goBack(channel)
            } catch .noStream {
                askForStreams(upTo: stream, now: now)
                table.starve(channel.id)
                continue
            } catch .tooLarge {
                // The remote's limit was learned after the message was taken.
                figures.messagesDropped += 1
            } catch { return }
            if channel.popFirst() { outputs.append(.bufferedAmountLow(channel.id)) }
            if channel.queue.isEmpty { reset(channel, now: now) } else { table.line(up: channel) }
        }
    }

    /// Streams come in lots: an association with all of them costs megabytes.
    private func askForStreams(upTo stream: UInt16, now: NIODeadline) {
        guard let sctp, Int(stream) >= streamsAskedFor else { return }
        let lacking = Int(stream) + 1 - sctp.outboundStreams
        let count = min(max(lacking, Limits.sctpStreamLot), Int(Limits.channelStreams) + 1 - sctp.outboundStreams)
        guard count > 0 else { return }
        streamsAskedFor = sctp.outboundStreams + count
        sctp.addStreams(count, now: now)
    }

    // MARK: Closing

    /// Asks for the reset of a closing channel's stream once its queue is empty.
    private func reset(_ channel: DataChannel, now: NIODeadline) {
        guard channel.state == .closing, !channel.hasAskedReset, channel.queue.isEmpty, let stream = channel.stream
        else { return }
        channel.hasAskedReset = true
        sctp?.resetStreams([stream], now: now)
    }

    private func refuse(_ stream: UInt16, isRemoteReset: Bool = false, now: NIODeadline) {
        if refused.refuse(stream, isRemoteReset: isRemoteReset) { sctp?.resetStreams([stream], now: now) }
    }

    private func localReset(_ stream: UInt16, performed: Bool) {
        guard let id = table[stream: stream], let channel = table[id], channel.hasAskedReset else {
            return refused.wasReset(stream, performed: performed)
        }
        channel.isReset = true
        if channel.isOver { gone(id) }
    }

    private func remoteReset(_ stream: UInt16, now: NIODeadline) {
        guard let id = table[stream: stream], let channel = table[id] else {
            // What it sent without an announcement ends here; our side of the stream ends with it.
            if !refused.remoteReset(stream), !orphans.take(stream).isEmpty {
                refuse(stream, isRemoteReset: true, now: now)
            }
            return
        }
        channel.isRemoteReset = true
        if channel.isOver { return gone(id) }
        // RFC 8831 §6.7: the other direction is reset in answer.
        channel.dropQueue()
        channel.state = .closing
        reset(channel, now: now)
    }

    private func gone(_ id: DataChannelID) {
        guard table.remove(id) != nil else { return }
        outputs.append(.channelClosed(id))
    }
}
