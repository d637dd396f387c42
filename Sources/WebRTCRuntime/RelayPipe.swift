package import ICE
package import NIOCore
import NIOPosix
package import Wire

/// A TCP connection to a TURN server (RFC 8656 §2.1): whole frames go out, bytes come in.
///
/// What waits to be sent is bounded: above `Limits.relayPipeQueue` bytes, datagrams of peers are dropped, as a full
/// socket of UDP would; requests to the server are few and always queue.
///
/// Confined to its loop. It lives until ``close()``, or until the other end closes.
package final class RelayPipe {
    private let loop: any EventLoop
    private var channel: (any Channel)?
    /// Who is told; nil when nobody is any more.
    private var happened: ((TURNPipe.Event) -> Void)?

    /// Begins to connect; `connected` or `closed` follows.
    package init(to address: TransportAddress, on loop: any EventLoop, happened: @escaping (TURNPipe.Event) -> Void) {
        loop.preconditionInEventLoop()
        (self.loop, self.happened) = (loop, happened)
        let bound = NIOLoopBound(self, eventLoop: loop)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(Limits.turnConnectTimeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(
                .writeBufferWaterMark,
                value: .init(low: Limits.relayPipeQueue / 2, high: Limits.relayPipeQueue)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(RelayPipeReader(bound.value))
                }
            }
        bootstrap.connect(host: "\(address.ip)", port: Int(address.port)).whenComplete { bound.value.connected($0) }
    }

    private func connected(_ result: Result<any Channel, any Error>) {
        guard case .success(let channel) = result else { return ended() }
        guard let happened else { return channel.close(promise: nil) }
        self.channel = channel
        happened(.connected)
    }

    package func send(_ frame: ByteBuffer) {
        guard let channel, channel.isWritable || !TURNPipe.canBeDropped(frame) else { return }
        channel.writeAndFlush(frame, promise: nil)
    }

    fileprivate func received(_ bytes: ByteBuffer) { happened?(.received(bytes)) }

    /// The other end closed, or there never was one.
    fileprivate func ended() {
        let told = happened
        happened = nil
        channel?.close(promise: nil)
        channel = nil
        told?(.closed)
    }

    /// Ends it; nothing more is told.
    package func close() {
        happened = nil
        channel?.close(promise: nil)
        channel = nil
    }
}

/// Hands on what is read.
private final class RelayPipeReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let pipe: RelayPipe

    init(_ pipe: RelayPipe) { self.pipe = pipe }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { pipe.received(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { pipe.ended() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { pipe.ended() }
}
