import NIOCore
import NIOWebSocket
import Wire

/// Makes a byte pipe of WebSocket frames (RFC 6455; libp2p/specs websockets): frame boundaries mean nothing.
///
///     frames in ─▶ open ──────▶ bytes to the pipe
///                   │ text, reserved bits, wrong masking, wrong order, a frame too long
///                   ▼
///                 over: a close frame with the reason's code, then the socket ends
///
/// Pings are answered within ``Limits/webSocketPongsPerSecond``. What is written leaves in binary messages of at most
/// ``Limits/webSocketFrameSent`` bytes; an empty write becomes the close frame, behind everything written before.
/// Does not know extensions or subprotocols: none is offered, none is accepted.
final class WebSocketHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    /// Who we are: clients mask what they send, servers must not.
    enum Role: Equatable { case client, server }

    private let role: Role
    /// A message has begun whose last frame is still to come.
    private var isFragmented = false
    /// A close frame was sent: nothing may follow it.
    private var isClosing = false
    private var pongs = 0
    private var pongsSince = NIODeadline.uptimeNanoseconds(0)

    init(role: Role) { self.role = role }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        let frame = unwrapInboundIn(data)
        guard frame.reservedBits.isEmpty else { return fail(context, .protocolError, "reserved bits are set") }
        guard (frame.maskKey != nil) == (role == .server) else {
            return fail(context, .protocolError, role == .server ? "frames are not masked" : "frames are masked")
        }
        switch frame.opcode {
        case .binary, .continuation:
            guard isFragmented == (frame.opcode == .continuation) else {
                return fail(context, .protocolError, "fragments are out of order")
            }
            isFragmented = !frame.fin
            let bytes = frame.unmaskedData
            if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
        case .text: fail(context, .unacceptableData, "text came where bytes were expected")
        case .ping: answer(frame, context)
        case .pong: return
        case .connectionClose: closed(by: frame, context)
        default: fail(context, .protocolError, "an unknown kind of frame came")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error as? NIOWebSocketError {
        case .invalidFrameLength?: fail(context, .messageTooLarge, "a frame is too long")
        case .fragmentedControlFrame?, .multiByteControlFrameLength?:
            fail(context, .protocolError, "a control frame is malformed")
        default: context.fireErrorCaught(error)
        }
    }

    // MARK: Control frames

    private func answer(_ ping: WebSocketFrame, _ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        if now - pongsSince >= .seconds(1) { (pongs, pongsSince) = (0, now) }
        // Pongs must not pile up before a remote that reads nothing.
        guard pongs < Limits.webSocketPongsPerSecond, context.channel.isWritable else { return }
        pongs += 1
        context.writeAndFlush(wrapOutboundOut(frame(.pong, ping.unmaskedData)), promise: nil)
    }

    /// The remote's farewell, answered by the same code (RFC 6455 section 5.5.1).
    private func closed(by frame: WebSocketFrame, _ context: ChannelHandlerContext) {
        isClosing = true
        let reason = frame.unmaskedData.getSlice(at: frame.unmaskedData.readerIndex, length: 2) ?? ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(self.frame(.connectionClose, reason)), promise: nil)
        context.close(promise: nil)
    }

    private func fail(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode, _ words: String) {
        guard !isClosing else { return }
        sayClose(context, code, promise: nil)
        context.flush()
        context.fireErrorCaught(WebSocketError.misbehaved(words))
        context.close(promise: nil)
    }

    private func sayClose(
        _ context: ChannelHandlerContext, _ code: WebSocketErrorCode, promise: EventLoopPromise<Void>?
    ) {
        isClosing = true
        var reason = ByteBuffer()
        reason.write(webSocketErrorCode: code)
        context.write(wrapOutboundOut(frame(.connectionClose, reason)), promise: promise)
    }

    // MARK: Writing

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var bytes = unwrapOutboundIn(data)
        guard !isClosing else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        if bytes.readableBytes == 0 { return sayClose(context, .normalClosure, promise: promise) }
        while bytes.readableBytes > Limits.webSocketFrameSent,
            let piece = bytes.readSlice(length: Limits.webSocketFrameSent)
        {
            context.write(wrapOutboundOut(frame(.binary, piece)), promise: nil)
        }
        context.write(wrapOutboundOut(frame(.binary, bytes)), promise: promise)
    }

    private func frame(_ opcode: WebSocketOpcode, _ bytes: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: role == .client ? .random() : nil, data: bytes)
    }
}
