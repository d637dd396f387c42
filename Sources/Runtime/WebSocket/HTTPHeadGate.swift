import NIOCore
import Wire

/// Lets an HTTP head through once it is whole, and nothing longer than ``Limits/webSocketHead``.
///
/// Behind it the HTTP decoder never sees an endless request line or header. How long a head may take is the business
/// of whoever owns the socket. Leaves the pipeline when the head is through: what follows is frames.
final class HTTPHeadGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var head = ByteBuffer()
    /// Bytes of `head` in which no end was found.
    private var searched = 0
    private var isOpen = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOpen else { return context.fireChannelRead(data) }
        head.writeImmutableBuffer(unwrapInboundIn(data))
        guard let length = headLength() else {
            if head.readableBytes > Limits.webSocketHead { refuse(context) }
            return
        }
        guard length <= Limits.webSocketHead else { return refuse(context) }
        isOpen = true
        context.fireChannelRead(wrapInboundOut(head))
        head = ByteBuffer()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext) {
        isOpen = true
        head = ByteBuffer()
        context.fireErrorCaught(WebSocketError.headTooLong)
        context.close(promise: nil)
    }

    /// The length of the head with the empty line that ends it; nil while that is still to come.
    private func headLength() -> Int? {
        let bytes = head.readableBytesView
        let start = bytes.startIndex
        var index = searched
        while index + 4 <= min(bytes.count, Limits.webSocketHead + 4) {
            if bytes[(start + index)..<(start + index + 4)].elementsEqual(Self.end) { return index + 4 }
            index += 1
        }
        searched = index
        return nil
    }

    private static let end: [UInt8] = Array("\r\n\r\n".utf8)
}
