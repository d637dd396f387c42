import NIOCore
public import WebRTC

/// One data channel of a ``WebRTCPeer``. A value: copies mean the same channel.
public struct DataChannelHandle: Sendable, Identifiable {
    /// Names it among the channels of its peer.
    public let id: DataChannelID
    /// What was asked for when it was opened, by us or by the remote.
    public let options: DataChannelOptions
    /// Whose it is.
    public let peer: WebRTCPeer

    init(_ id: DataChannelID, _ options: DataChannelOptions, _ peer: WebRTCPeer) {
        (self.id, self.options, self.peer) = (id, options, peer)
    }

    /// What arrives, in order. One reader at a time.
    public var messages: DataChannelMessages { DataChannelMessages(channel: self) }

    /// Sends a message, and waits before that while 1 MiB waits in the channel.
    ///
    /// - Throws: `channelClosed`, `tooLarge`, `tooLargeForDatagram`, `cancelled`; or what ended the connection.
    public func send(_ message: DataChannelMessage) async throws(WebRTCError) {
        try await peer.sendWhenRoom(message, on: id)
    }

    /// Sends text; see ``send(_:)-(DataChannelMessage)``.
    public func send(_ text: String) async throws(WebRTCError) { try await send(.text(ByteBuffer(string: text))) }

    /// Sends bytes; see ``send(_:)-(DataChannelMessage)``.
    public func send(_ bytes: some Sequence<UInt8> & Sendable) async throws(WebRTCError) {
        try await send(.binary(ByteBuffer(bytes: bytes)))
    }

    /// Waits until the remote knows of the channel.
    public func opened() async throws(WebRTCError) { try await peer.opened(id) }

    /// Closes the channel. What was sent leaves first; what the remote sent and nobody read yet can still be read.
    public func close() async { await peer.close(id) }
}

/// The messages of a channel. Ends when the channel was closed; throws what ended the connection.
///
/// Nothing is lost and nothing grows without end: while 4 MiB wait to be read, the connection takes no more from the
/// network. Every channel must have a reader: one that is left full for 15 s ends the connection.
public struct DataChannelMessages: AsyncSequence, Sendable {
    /// One reader of it.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let channel: DataChannelHandle

        /// The next message; nil at the end.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(WebRTCError) -> DataChannelMessage? {
            try await channel.peer.nextMessage(of: channel.id)
        }
    }
    let channel: DataChannelHandle

    /// A reader.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: channel) }
}

/// The channels a remote opens. Ends when the connection was closed; throws what else ended it.
public struct IncomingChannels: AsyncSequence, Sendable {
    /// One reader of it.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let peer: WebRTCPeer

        /// The next channel; nil at the end.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(WebRTCError) -> DataChannelHandle? {
            try await peer.nextChannel()
        }
    }
    let peer: WebRTCPeer

    /// A reader.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(peer: peer) }
}
