import NIOCore
import Node

/// The end of a byte pipe's channel: carries what NIO says into the peer, on the loop they share.
///
/// Bytes are handed over as they come and the peer drains its outputs once, at the end of the read.
final class PipeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let id: ConnectionID
    private let peer: Peer
    private var failure: String?
    /// What came before the peer knew of the pipe; nil once it does. A turn of the loop long, so a few reads at most.
    private var held: ByteBuffer?

    /// Says that the peer knows of the pipe now.
    struct Release: Sendable {}

    /// - Parameter isHeld: whether bytes wait for a ``Release``.
    init(id: ConnectionID, peer: Peer, isHeld: Bool = false) {
        (self.id, self.peer) = (id, peer)
        if isHeld { held = ByteBuffer() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard held == nil else {
            held?.writeImmutableBuffer(bytes)
            return
        }
        peer.assumeIsolated { [id] in $0.feed(.pipeReceived(id, bytes)) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        peer.assumeIsolated { $0.drain() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        peer.assumeIsolated { [id] in $0.handle(.pipeWritable(id, isWritable)) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        peer.assumeIsolated { [id, failure] in $0.pipeEnded(id, reason: failure) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is Release, let bytes = held {
            held = nil
            peer.assumeIsolated { [id] peer in
                if bytes.readableBytes > 0 { peer.handle(.pipeReceived(id, bytes)) }
            }
        }
        // The remote's FIN: a libp2p connection has no half-closed life, so the pipe ends.
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = describe(error)
        context.close(promise: nil)
    }
}
