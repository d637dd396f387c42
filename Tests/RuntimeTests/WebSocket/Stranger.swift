import NIOCore
import NIOPosix

/// A plain TCP socket: what came over it is known when it ends.
final class Stranger: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var heard = ByteBuffer()
    private let ended: EventLoopPromise<String>

    private init(_ ended: EventLoopPromise<String>) { self.ended = ended }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heard.writeImmutableBuffer(unwrapInboundIn(data))
    }
    func channelInactive(context: ChannelHandlerContext) { ended.succeed(String(buffer: heard)) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Sends bytes to a port and waits until the other side ends the socket; all it said.
    static func answer(to bytes: [UInt8], port: UInt16) async throws -> String {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let ended = loop.makePromise(of: String.self)
        do {
            let channel = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Stranger(ended))
                    }
                }
                .connect(host: "127.0.0.1", port: Int(port)).get()
            channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        } catch {
            ended.fail(error)
            throw error
        }
        return try await ended.futureResult.get()
    }
}
