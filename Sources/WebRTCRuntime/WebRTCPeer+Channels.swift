import NIOCore
public import WebRTC
import Wire

/// Channels and their messages.
extension WebRTCPeer {
    /// What the actor keeps of a channel. An object, so that looking at one part of it copies nothing.
    final class ChannelState {
        let options: DataChannelOptions
        var isOpen = false
        var inbox = Inbox<DataChannelMessage>()
        var openWaiters: [CheckedContinuation<Result<Void, WebRTCError>, Never>] = []
        var roomWaiters: [CheckedContinuation<Result<Void, WebRTCError>, Never>] = []
        var messageHandler: ((isolated WebRTCPeer, DataChannelMessage) -> Void)?
        var lowHandler: ((isolated WebRTCPeer) -> Void)?

        init(_ options: DataChannelOptions) { self.options = options }
    }

    // MARK: Opening

    /// Opens a channel and waits until the remote knows of it.
    ///
    /// - Throws: `wrongState` before offer and answer, `tooManyChannels`, `invalidArgument`; or what ended the
    ///   connection or the channel.
    public func openChannel(
        _ options: DataChannelOptions = DataChannelOptions()
    ) async throws(WebRTCError) -> DataChannelHandle {
        let channel = try startChannel(options)
        try await opened(channel.id)
        return channel
    }

    /// Opens a channel and does not wait: messages may be sent at once, and travel behind the announcement.
    public func startChannel(
        _ options: DataChannelOptions = DataChannelOptions()
    ) throws(WebRTCError) -> DataChannelHandle {
        let connection = try standing()
        let id: DataChannelID
        do throws(DataChannelError) { id = try connection.open(options, now: .now()) } catch {
            throw WebRTCError(error)
        }
        channels[id] = ChannelState(options)
        connection.setBufferedAmountLowThreshold(Limits.channelLowWater, of: id)
        drain()
        return DataChannelHandle(id, options, self)
    }

    /// What the remote opens.
    public nonisolated var incomingChannels: IncomingChannels { IncomingChannels(peer: self) }

    /// Hands over each channel of the remote on the loop, in the turn it arrives, instead of ``incomingChannels``. The
    /// handler may set ``onMessage(of:_:)`` before any message is handed out.
    public func onChannel(_ handler: sending @escaping @Sendable (isolated WebRTCPeer, DataChannelHandle) -> Void) {
        incomingHandler = handler
    }

    // A call that must wait asks whether it must where it begins to, and not before: the task may have left the loop in
    // between, and what it would have waited for may have passed.

    func opened(_ id: DataChannelID) async throws(WebRTCError) {
        let result: Result<Void, WebRTCError> = await withTaskCancellationHandler {
            await withCheckedContinuation { waiting in
                guard let state = channels[id] else { return waiting.resume(returning: gone) }
                if state.isOpen { return waiting.resume(returning: .success(())) }
                channels[id]?.openWaiters.append(waiting)
                if Task.isCancelled { wakeOpeners(of: id, .failure(.cancelled)) }
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.wakeOpeners(of: id, .failure(.cancelled)) } }
        }
        try result.get()
    }

    /// What to say of a channel that is no longer there.
    private var gone: Result<Void, WebRTCError> {
        if case .failure(let error)? = end { .failure(error) } else { .failure(.channelClosed) }
    }

    private func wakeOpeners(of id: DataChannelID, _ result: Result<Void, WebRTCError>) {
        let waiters = channels[id]?.openWaiters ?? []
        channels[id]?.openWaiters = []
        for waiter in waiters { waiter.resume(returning: result) }
    }

    func channelOpened(_ id: DataChannelID, _ info: DataChannelInfo) {
        if channels[id] != nil {
            channels[id]?.isOpen = true
            return wakeOpeners(of: id, .success(()))
        }
        let state = ChannelState(info.options)
        state.isOpen = true
        channels[id] = state
        connection?.setBufferedAmountLowThreshold(Limits.channelLowWater, of: id)
        let handle = DataChannelHandle(id, info.options, self)
        if let incomingHandler { return incomingHandler(self, handle) }
        guard incoming.items.count < Limits.unacceptedChannels else { return close(id) }
        _ = incoming.append(handle)
    }

    // MARK: Messages in

    /// Hands over each message on the loop, in the turn it arrives, instead of ``DataChannelHandle/messages``. What
    /// has arrived before is handed over at once.
    public func onMessage(
        of id: DataChannelID,
        _ handler: sending @escaping @Sendable (isolated WebRTCPeer, DataChannelMessage) -> Void
    ) {
        channels[id]?.messageHandler = handler
        while case .success(let message?)? = channels[id]?.inbox.take() {
            taken(message)
            handler(self, message)
        }
    }

    func received(_ message: DataChannelMessage, on id: DataChannelID) {
        if let handler = channels[id]?.messageHandler { return handler(self, message) }
        guard channels[id]?.inbox.append(message) == true else { return }
        unreadBytes += Self.cost(message)
        if unreadBytes > Limits.unreadMessages, patience == nil { pauseReading() }
    }

    /// A message costs at least what keeps it.
    private static func cost(_ message: DataChannelMessage) -> Int { message.bytes.readableBytes + 64 }

    private func pauseReading() {
        for socket in sockets { socket.isReading = false }
        patience = loop.scheduleTask(in: readerPatience) {
            self.assumeIsolated { peer in
                peer.reason = WebRTCError(.notRead, "nobody read what the remote sent, for too long")
                peer.close()
            }
        }
    }

    private func taken(_ message: DataChannelMessage) {
        unreadBytes -= Self.cost(message)
        guard unreadBytes <= Limits.unreadMessagesLow, let timer = patience else { return }
        timer.cancel()
        patience = nil
        for socket in sockets { socket.isReading = true }
    }

    func nextMessage(of id: DataChannelID) async throws(WebRTCError) -> DataChannelMessage? {
        if let result = takeMessage(of: id) { return try result.get() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiting in
                if let result = takeMessage(of: id) { return waiting.resume(returning: result) }
                channels[id]?.inbox.wait(waiting)
                // Cancelled before it began to wait.
                if Task.isCancelled { channels[id]?.inbox.cancel() }
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.channels[id]?.inbox.cancel() } }
        }
        return try result.get()
    }

    /// The next message or the end of them; nil when one must wait.
    private func takeMessage(of id: DataChannelID) -> Result<DataChannelMessage?, WebRTCError>? {
        guard channels[id] != nil else { return (end ?? .success(())).map { nil } }
        guard let result = channels[id]?.inbox.take() else { return nil }
        if case .success(let message?) = result { taken(message) } else { channels[id] = nil }
        return result
    }

    func nextChannel() async throws(WebRTCError) -> DataChannelHandle? {
        if let result = incoming.take() { return try result.get() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiting in
                if let result = incoming.take() { return waiting.resume(returning: result) }
                incoming.wait(waiting)
                if Task.isCancelled { incoming.cancel() }
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.incoming.cancel() } }
        }
        return try result.get()
    }

    /// Candidates found after the description was written, for the other end's ``add(candidate:)``. One reader at a
    /// time.
    ///
    /// - Returns: the next one; nil when the connection has ended.
    public func nextCandidate() async throws(WebRTCError) -> String? {
        if let result = foundCandidates.take() { return try result.get() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiting in
                if let result = foundCandidates.take() { return waiting.resume(returning: result) }
                foundCandidates.wait(waiting)
                if Task.isCancelled { foundCandidates.cancel() }
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.foundCandidates.cancel() } }
        }
        return try result.get()
    }

    // MARK: Messages out

    /// Sends a message at once, without waiting for room: for handlers on the loop, which mind ``bufferedAmount(of:)``.
    ///
    /// - Throws: `channelClosed`, `tooLarge`, `tooLargeForDatagram`; `bufferFull` when 16 MiB wait in the channel.
    public func send(_ message: DataChannelMessage, on id: DataChannelID) throws(WebRTCError) {
        let connection = try standing()
        do throws(DataChannelError) { try connection.send(message, on: id, now: .now()) } catch {
            throw WebRTCError(error)
        }
        bundledBytes += message.bytes.readableBytes
        drainSoon()
    }

    /// Bytes of messages that wait in the channel.
    public func bufferedAmount(of id: DataChannelID) -> Int { connection?.bufferedAmount(of: id) ?? 0 }

    /// Calls on the loop whenever what waits in the channel falls to so many bytes.
    public func onBufferedAmountLow(
        of id: DataChannelID, threshold: Int = 256 << 10,
        _ handler: sending @escaping @Sendable (isolated WebRTCPeer) -> Void
    ) {
        channels[id]?.lowHandler = handler
        connection?.setBufferedAmountLowThreshold(threshold, of: id)
    }

    func sendWhenRoom(_ message: DataChannelMessage, on id: DataChannelID) async throws(WebRTCError) {
        while bufferedAmount(of: id) > Limits.channelHighWater {
            guard channels[id] != nil, end == nil else { break }
            let result: Result<Void, WebRTCError> = await withTaskCancellationHandler {
                await withCheckedContinuation { waiting in
                    guard channels[id] != nil, bufferedAmount(of: id) > Limits.channelHighWater else {
                        return waiting.resume(returning: .success(()))
                    }
                    channels[id]?.roomWaiters.append(waiting)
                    if Task.isCancelled { wakeSenders(of: id, .success(())) }
                }
            } onCancel: {
                // All look again; the cancelled one sees that it is.
                loop.execute { self.assumeIsolated { $0.wakeSenders(of: id, .success(())) } }
            }
            if Task.isCancelled { throw .cancelled }
            try result.get()
        }
        try send(message, on: id)
    }

    private func wakeSenders(of id: DataChannelID, _ result: Result<Void, WebRTCError>) {
        guard let waiters = channels[id]?.roomWaiters, !waiters.isEmpty else { return }
        channels[id]?.roomWaiters = []
        for waiter in waiters { waiter.resume(returning: result) }
    }

    func bufferIsLow(_ id: DataChannelID) {
        wakeSenders(of: id, .success(()))
        if let handler = channels[id]?.lowHandler { handler(self) }
    }

    // MARK: Closing

    /// Closes a channel; see ``DataChannelHandle/close()``.
    public func close(_ id: DataChannelID) {
        connection?.close(id, now: .now())
        drain()
    }

    func channelClosed(_ id: DataChannelID) { channelEnded(id, .success(())) }

    /// Nothing more comes on the channel. What nobody read stays to be read.
    func channelEnded(_ id: DataChannelID, _ result: Result<Void, WebRTCError>) {
        guard let state = channels[id] else { return }
        let failure: Result<Void, WebRTCError> = if case .success = result { .failure(.channelClosed) } else { result }
        wakeSenders(of: id, failure)
        wakeOpeners(of: id, failure)
        channels[id]?.messageHandler = nil
        channels[id]?.lowHandler = nil
        channels[id]?.inbox.finish(result)
        // With nothing to read, the name alone says that it is over.
        if state.inbox.items.isEmpty { channels[id] = nil }
    }
}
