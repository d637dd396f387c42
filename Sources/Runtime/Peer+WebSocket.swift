import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Node
import Wire

/// Byte pipes over WebSocket: to the core nothing but another pipe.
extension Peer {
    /// Makes a WebSocket of a socket that begins like one; it becomes a pipe when that is through.
    nonisolated func awaitWebSocket(on channel: any Channel) throws {
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: Limits.webSocketFrame, automaticErrorHandling: false,
            shouldUpgrade: { channel, head in
                channel.eventLoop.makeSucceededFuture(head.asksForWebSocket ? HTTPHeaders() : nil)
            },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(WebSocketHandler(role: .server))
                    try self.assumeIsolated { try $0.accept(channel, as: .webSocket) }
                }
            })
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTPHeadGate())
        try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: false,
            withServerUpgrade: ([upgrader], { $0.pipeline.remove(UpgradeRefusal.self) }), withErrorHandling: true)
        try pipeline.addHandler(UpgradeRefusal())
    }

    func connectWebSocket(_ id: ConnectionID, to address: TransportAddress) {
        guard let target = SocketAddress(address) else { return feed(.pipeFailed(id, reason: "no such address")) }
        pipes[id] = .connecting
        let opened = loop.makePromise(of: (any Channel).self)
        clientBootstrap
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try self.requestWebSocket(on: channel, host: address.description, id, opened)
                }
            }
            .connect(to: target)
            .whenFailure { opened.fail($0) }
        opened.futureResult.whenComplete { result in self.assumeIsolated { $0.connected(id, result) } }
    }

    private nonisolated func requestWebSocket(
        on channel: any Channel, host: String, _ id: ConnectionID, _ opened: EventLoopPromise<any Channel>
    ) throws {
        let upgrader = NIOWebSocketClientUpgrader(
            maxFrameSize: Limits.webSocketFrame, automaticErrorHandling: false,
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(WebSocketHandler(role: .client))
                    let pipe = PipeHandler(id: id, peer: self, isHeld: true)
                    try channel.pipeline.syncOperations.addHandler(pipe)
                    // NIO's upgrade handler lets nothing out before it has left the pipeline, at the end of this turn.
                    channel.eventLoop.execute {
                        opened.succeed(channel)
                        channel.pipeline.fireUserInboundEventTriggered(PipeHandler.Release())
                    }
                }
            })
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTPHeadGate())
        try pipeline.addHTTPClientHandlers(
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: ([upgrader], { $0.pipeline.remove(WebSocketRequest.self) }))
        try pipeline.addHandler(WebSocketRequest(host: host, opened: opened))
    }
}

extension ChannelPipeline {
    /// Takes the one handler of a type out, on the loop.
    fileprivate func remove<Handler: RemovableChannelHandler>(_ type: Handler.Type) {
        guard let context = try? syncOperations.context(handlerType: type) else { return }
        syncOperations.removeHandler(context: context, promise: nil)
    }
}
