import NIOCore
import NIOHTTP1
import NIOWebSocket
import Wire

/// What the sockets of one listener may turn out to be.
struct PipeKinds: OptionSet, Sendable {
    let rawValue: UInt8
    static let tcp = PipeKinds(rawValue: 1)
    static let webSocket = PipeKinds(rawValue: 2)
    static let secureWebSocket = PipeKinds(rawValue: 4)
}

/// Tells by a socket's first bytes what it wants to be, where one port serves several (as go-libp2p's shared TCP
/// listener does): multistream's `0x13`, `GET `, or TLS's `0x16`.
///
///     undecided ─▶ tcp: a pipe as it is
///               ─▶ webSocket: HTTP upgrade, then a pipe of frames
///               ─▶ secureWebSocket: TLS, within it the same
///               ─▶ refused: the socket ends
///
/// Holds at most three bytes. The time limit, ``Limits/webSocketUpgradeTimeout``, is kept by ``Peer`` together with
/// the count of such sockets.
final class ArrivalHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    enum Decision: Equatable { case undecided, tcp, webSocket, secureWebSocket, refused }

    private let kinds: PipeKinds
    private let peer: Peer
    private var inbox = ByteBuffer()
    private var isDecided = false

    init(_ kinds: PipeKinds, peer: Peer) { (self.kinds, self.peer) = (kinds, peer) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDecided else { return context.fireChannelRead(data) }
        inbox.writeImmutableBuffer(unwrapInboundIn(data))
        let decision = Self.decision(inbox, among: kinds)
        guard decision != .undecided else { return }
        isDecided = true
        let channel = context.channel
        do {
            switch decision {
            case .tcp: try peer.assumeIsolated { try $0.accept(channel, as: .tcp) }
            case .webSocket: try peer.awaitWebSocket(on: channel, as: .webSocket)
            case .secureWebSocket: try peer.assumeIsolated { try $0.awaitTLS(on: channel) }
            case .refused, .undecided: return context.close(promise: nil)
            }
        } catch { return context.close(promise: nil) }
        context.fireChannelRead(wrapInboundOut(inbox))
        inbox = ByteBuffer()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isDecided { context.fireErrorCaught(error) } else { context.close(promise: nil) }
    }

    /// What bytes say, as far as they go.
    static func decision(_ bytes: ByteBuffer, among kinds: PipeKinds) -> Decision {
        guard let first = bytes.readableBytesView.first else { return .undecided }
        if first == 0x16 { return kinds.contains(.secureWebSocket) ? .secureWebSocket : .refused }
        if first == 0x13 { return kinds.contains(.tcp) ? .tcp : .refused }
        guard kinds.contains(.webSocket) else { return .refused }
        let known = bytes.readableBytesView.prefix(get.count)
        guard known.elementsEqual(get.prefix(known.count)) else { return .refused }
        return known.count == get.count ? .webSocket : .undecided
    }

    private static let get = Array("GET ".utf8)
}
