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

    init(id: ConnectionID, peer: Peer) {
        (self.id, self.peer) = (id, peer)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
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
        // The remote's FIN: a libp2p connection has no half-closed life, so the pipe ends.
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = describe(error)
        context.close(promise: nil)
    }
}
