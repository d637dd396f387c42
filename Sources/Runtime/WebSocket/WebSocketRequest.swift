import NIOCore
import NIOHTTP1
import Wire

/// Asks the server for the upgrade (RFC 6455 section 4.1), and says why when there is none.
///
/// Stands behind NIO's upgrade handler, which adds the headers of the protocol and takes the answer; only what is no
/// upgrade comes as far as here.
final class WebSocketRequest: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let host: String
    /// Fulfilled by the upgrade, or failed here.
    private let opened: EventLoopPromise<any Channel>
    private var timeout: Scheduled<Void>?

    init(host: String, opened: EventLoopPromise<any Channel>) { (self.host, self.opened) = (host, opened) }

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

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(context, error) }

    private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
        opened.fail(error)
        context.close(promise: nil)
    }
}
