import NIOCore
import NIOHTTP1
import NIOPosix
import Wire

/// Serves the page that talks to the echo server, and the addresses to dial, over HTTP/1.1 (RFC 9112).
///
/// `GET` or `HEAD` of `/`, `/echo.html` and `/address`; one request a connection, which ends with its answer or after
/// `Limits.pageTimeout`. At most `Limits.pageRequests` at once.
enum EchoPage {
    /// An answer: its status, the kind of its body, the body.
    struct Answer: Equatable {
        let status: HTTPResponseStatus
        let kind: String
        let body: [UInt8]
    }

    /// The page takes nothing from anywhere else, and nobody else may frame it.
    static let policy =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    /// What a request is answered; `addresses` are those of the echo server.
    static func answer(_ method: HTTPMethod, _ target: String, addresses: [String]) -> Answer {
        guard method == .GET || method == .HEAD else {
            return Answer(status: .methodNotAllowed, kind: "text/plain; charset=utf-8", body: Array("GET only\n".utf8))
        }
        switch target.prefix(while: { $0 != "?" }) {
        case "/", "/echo.html":
            return Answer(status: .ok, kind: "text/html; charset=utf-8", body: PackageResources.echo_html)
        case "/address":
            var object = JSONObject()
            object.add("addresses", addresses)
            return Answer(status: .ok, kind: "application/json", body: Array(object.line.utf8))
        default:
            return Answer(status: .notFound, kind: "text/plain; charset=utf-8", body: Array("not found\n".utf8))
        }
    }

    /// Listens; what comes back is closed to end it. Port 0 takes any.
    static func serve(
        host: String, port: UInt16, addresses: [String], on loop: any EventLoop
    ) async throws(Failure) -> any Channel {
        let open = NIOLoopBoundBox.makeBoxSendingValue(0, eventLoop: loop)
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 16)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard open.value < Limits.pageRequests else { throw TooManyRequests() }
                    open.value += 1
                    channel.closeFuture.whenComplete { _ in open.value -= 1 }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withPipeliningAssistance: false, withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(EchoPageHandler(addresses))
                }
            }
        do { return try await bootstrap.bind(host: host, port: Int(port)).get() } catch {
            throw Failure(.system, "--http \(host):\(port): \(error)")
        }
    }

    /// More than `Limits.pageRequests`: the connection is closed.
    private struct TooManyRequests: Error {}
}

/// One connection to the page.
private final class EchoPageHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let addresses: [String]
    private var timeout: Scheduled<Void>?
    private var hasAnswered = false

    init(_ addresses: [String]) { self.addresses = addresses }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        timeout = context.eventLoop.scheduleTask(in: Limits.pageTimeout) { channel.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A body is nothing to us, nor is another request.
        guard case .head(let request) = unwrapInboundIn(data), !hasAnswered else { return }
        hasAnswered = true
        let answer = EchoPage.answer(request.method, request.uri, addresses: addresses)
        var head = HTTPResponseHead(version: .http1_1, status: answer.status)
        head.headers.add(name: "Content-Type", value: answer.kind)
        head.headers.add(name: "Content-Length", value: String(answer.body.count))
        head.headers.add(name: "Connection", value: "close")
        head.headers.add(name: "Cache-Control", value: "no-store")
        head.headers.add(name: "X-Content-Type-Options", value: "nosniff")
        head.headers.add(name: "Content-Security-Policy", value: EchoPage.policy)
        if answer.status == .methodNotAllowed { head.headers.add(name: "Allow", value: "GET, HEAD") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
        }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
