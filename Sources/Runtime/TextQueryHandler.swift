import NIOCore
import Node
import Wire

/// One question for TXT records to one name server, and its answer (RFC 1035 §4).
///
/// The socket is connected, so only the server's datagrams arrive; the identifier is random and must come back.
/// Retransmission and truncation are not handled: the machine that asked has a deadline, and dnsaddr records fit.
final class TextQueryHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = ByteBuffer

    private let query: NameQuery
    private let name: DNSName
    private let identifier = UInt16.random(in: .min ... .max)
    private let peer: Peer
    private var timeout: Scheduled<Void>?
    private var isAnswered = false

    init(query: NameQuery, name: DNSName, peer: Peer) {
        (self.query, self.name, self.peer) = (query, name, peer)
    }

    func channelActive(context: ChannelHandlerContext) {
        let question = DNSMessage.Question(name, type: DNSMessage.Kind.txt)
        var packet = DNSMessage(isResponse: false, questions: [question]).packet
        packet.setInteger(identifier, at: packet.readerIndex)
        packet.setInteger(Self.recursionDesired, at: packet.readerIndex + 2)
        context.writeAndFlush(wrapOutboundOut(packet), promise: nil)
        let channel = context.channel
        timeout = context.eventLoop.scheduleTask(in: Limits.dnsLookupTimeout) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let packet = unwrapInboundIn(data).data
        guard packet.getInteger(at: packet.readerIndex, as: UInt16.self) == identifier,
            let message = try? DNSMessage(packet), message.isResponse
        else { return }
        var texts: [AddressResolver.Record] = []
        for record in message.answers where record.name == name {
            guard case .txt(let strings) = record.data else { continue }
            texts.append(.text(String(decoding: strings.joined(), as: UTF8.self)))
        }
        answer(texts)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { answer(nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ answer: [AddressResolver.Record]?) {
        guard !isAnswered else { return }
        isAnswered = true
        timeout?.cancel()
        peer.assumeIsolated { [query] in $0.handle(.resolved(query.id, answer)) }
    }

    private static let recursionDesired: UInt16 = 0x0100
}
