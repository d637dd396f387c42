import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Answers requests that are no WebSocket upgrade, and ends the socket: nothing else is served.
///
/// Stands behind the upgrade handler and leaves the pipeline with it.
final class UpgradeRefusal: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head = unwrapInboundIn(data) else { return }
        let headers: HTTPHeaders = [
            "upgrade": "websocket", "sec-websocket-version": "13", "connection": "close", "content-length": "0",
        ]
        let head = HTTPResponseHead(version: .http1_1, status: .upgradeRequired, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The head that caused it follows, and is answered.
        if error is NIOWebSocketUpgradeError { return }
        context.close(promise: nil)
    }
}

extension HTTPRequestHead {
    /// Whether this asks for a WebSocket (RFC 6455 section 4.2.1), on any path; NIO checks key and version beyond.
    var asksForWebSocket: Bool {
        method == .GET && version == .http1_1
            && headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
            && headers["sec-websocket-key"].first?.utf8.count == 24
    }
}
