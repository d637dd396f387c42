import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Node
import Wire

/// Byte pipes over WebSocket: to the core nothing but another pipe.
extension Peer {
    /// Makes a WebSocket of a socket that begins like one; it becomes a pipe when that is through.
    nonisolated func awaitWebSocket(on channel: any Channel, as kind: Accepted) throws {
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: Limits.webSocketFrame, automaticErrorHandling: false,
            shouldUpgrade: { channel, head in
                channel.eventLoop.makeSucceededFuture(head.asksForWebSocket ? HTTPHeaders() : nil)
            },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(WebSocketHandler(role: .server))
                    try self.assumeIsolated { try $0.accept(channel, as: kind) }
                }
            })
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTPHeadGate())
        try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: false,
            withServerUpgrade: ([upgrader], { $0.pipeline.remove(UpgradeRefusal.self) }), withErrorHandling: true)
        try pipeline.addHandler(UpgradeRefusal())
    }

    /// Agrees on TLS with a socket that begins like that; within it, the same as without.
    func awaitTLS(on channel: any Channel) throws {
        switch security.server?.look(now: .now()) {
        case .renewed?: mailbox.post(.log(.notice, "the TLS certificate was read anew"))
        case .refused(let words)?:
            mailbox.post(.log(.warning, "the TLS certificate was not renewed: \(words)"))
        case .unchanged?, nil: break
        }
        guard let context = security.server?.context else { return channel.close(promise: nil) }
        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
        try awaitWebSocket(on: channel, as: .secureWebSocket)
    }

    /// Dials a WebSocket over TLS.
    ///
    /// - Parameter name: asked for and looked for in the certificate; nil for the address itself.
    func connectSecureWebSocket(_ id: ConnectionID, to address: TransportAddress, name: String?) {
        do {
            let context = try clientTLS ?? security.clientContext()
            clientTLS = context
            connectWebSocket(id, to: address, TLSDial(context: context, name: name))
        } catch {
            feed(.pipeFailed(id, reason: "TLS failed: \(error)"))
        }
    }

    func connectWebSocket(_ id: ConnectionID, to address: TransportAddress, _ tls: TLSDial? = nil) {
        guard let target = SocketAddress(address) else { return feed(.pipeFailed(id, reason: "no such address")) }
        pipes[id] = .connecting
        let opened = loop.makePromise(of: (any Channel).self)
        clientBootstrap
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try self.requestWebSocket(on: channel, of: address, tls, id, opened)
                }
            }
            .connect(to: target)
            .whenFailure { opened.fail($0) }
        opened.futureResult.whenComplete { result in self.assumeIsolated { $0.connected(id, result) } }
    }

    private nonisolated func requestWebSocket(
        on channel: any Channel, of address: TransportAddress, _ tls: TLSDial?, _ id: ConnectionID,
        _ opened: EventLoopPromise<any Channel>
    ) throws {
        if let tls {
            do {
                let handler = try NIOSSLClientHandler(context: tls.context, serverHostname: tls.name)
                try channel.pipeline.syncOperations.addHandler(handler)
            } catch {
                throw TLSFailure(error, certificate: nil, name: tls.name ?? "") ?? error
            }
        }
        let upgrader = NIOWebSocketClientUpgrader(
            maxFrameSize: Limits.webSocketFrame, automaticErrorHandling: false,
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    if let name = tls?.name {
                        let handler = try channel.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
                        guard handler.peerCertificate?.isFor(name) == true else {
                            opened.fail(TLSFailure.otherName(name))
                            return channel.close(promise: nil)
                        }
                    }
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
        try pipeline.addHandler(WebSocketRequest(to: address, name: tls?.name, opened: opened))
    }
}

/// How a dial does TLS.
struct TLSDial {
    let context: NIOSSLContext
    /// The server's name; nil when only its address is known.
    let name: String?
}

extension ChannelPipeline {
    /// Takes the one handler of a type out, on the loop.
    fileprivate func remove<Handler: RemovableChannelHandler>(_ type: Handler.Type) {
        guard let context = try? syncOperations.context(handlerType: type) else { return }
        syncOperations.removeHandler(context: context, promise: nil)
    }
}
