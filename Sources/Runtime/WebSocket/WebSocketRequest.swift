import NIOCore
import NIOHTTP1
import NIOSSL
import Wire

/// Asks the server for the upgrade (RFC 6455 section 4.1), and says why when there is none.
///
/// Stands behind NIO's upgrade handler, which adds the headers of the protocol and takes the answer; only what is no
/// upgrade comes as far as here.
final class WebSocketRequest: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let address: TransportAddress
    private let name: String?
    /// Fulfilled by the upgrade, or failed here.
    private let opened: EventLoopPromise<any Channel>
    private var timeout: Scheduled<Void>?

    /// - Parameter name: the server's, when it is known by one.
    init(to address: TransportAddress, name: String?, opened: EventLoopPromise<any Channel>) {
        (self.address, self.name, self.opened) = (address, name, opened)
    }

    /// What the request says whom it is for.
    private var host: String { name.map { "\($0):\(address.port)" } ?? address.description }

    func handlerAdded(context: ChannelHandlerContext) {
        let (channel, opened) = (context.channel, opened)
        timeout = context.eventLoop.scheduleTask(in: Limits.webSocketUpgradeTimeout) {
            opened.fail(WebSocketError.timedOut)
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timeout?.cancel() }

    func channelActive(context: ChannelHandlerContext) {
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/", headers: ["host": host])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        fail(context, WebSocketError.refused(head.status))
    }

    func channelInactive(context: ChannelHandlerContext) {
        opened.fail(WebSocketError.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let tls = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
        let asked = name ?? address.ip.description
        fail(context, TLSFailure(error, certificate: tls?.peerCertificate, name: asked) ?? error)
    }

    private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
        opened.fail(error)
        context.close(promise: nil)
    }
}
