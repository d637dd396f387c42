import NIOCore
import NIOPosix
import Node
import Runtime
import Testing
import Wire

/// Names, from a name server on loopback to a connection.
@Suite struct NameResolutionTests {
    /// Answers every question for TXT records with these texts; everything else not at all.
    private final class NameServer: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        private let texts: [String: [String]]

        init(_ texts: [String: [String]]) { self.texts = texts }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let datagram = unwrapInboundIn(data)
            guard let query = try? DNSMessage(datagram.data), let question = query.questions.first else { return }
            let found = texts.first { DNSName($0.key) == question.name }?.value ?? []
            let answers = found.map { text in
                DNSMessage.Record(question.name, timeToLive: 60, data: .txt([Array(text.utf8)]))
            }
            var answer = DNSMessage(isResponse: true, questions: [question], answers: answers).packet
            let identifier = datagram.data.getInteger(at: datagram.data.readerIndex, as: UInt16.self) ?? 0
            answer.setInteger(identifier, at: answer.readerIndex)
            context.writeAndFlush(
                wrapOutboundOut(AddressedEnvelope(remoteAddress: datagram.remoteAddress, data: answer)), promise: nil)
        }
    }

    private func serve(_ texts: [String: [String]]) async throws -> any Channel {
        try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NameServer(texts))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    @Test func aDnsaddrLeadsThroughItsRecordsToThePeer() async throws {
        let alice = try Peer.quiet()
        let bob = try Peer.quiet()
        let address = try await #require(alice.start(listening: [Multiaddr("/ip4/127.0.0.1/tcp/0")]).first)
        let server = try await serve([
            "_dnsaddr.chat.test": ["dnsaddr=/dnsaddr/inner.chat.test/p2p/\(alice.id)", "something else"],
            "_dnsaddr.inner.chat.test": ["dnsaddr=\(address)"],
        ])
        await bob.useNameServer(try #require(server.localAddress))
        try await bob.start()
        let reached = try await bob.connect(Multiaddr("/dnsaddr/chat.test/p2p/\(alice.id)"))
        #expect(reached == alice.id)
        await alice.shutdown()
        await bob.shutdown()
        try await server.close()
    }

    @Test func aHostNameIsLookedUp() async throws {
        let alice = try Peer.quiet()
        let bob = try Peer.quiet()
        let address = try await #require(alice.start(listening: [Multiaddr("/ip4/127.0.0.1/tcp/0")]).first)
        try await bob.start()
        let named = "\(address)".replacing("/ip4/127.0.0.1/", with: "/dns4/localhost/")
        let reached = try await bob.connect(Multiaddr(named))
        #expect(reached == alice.id)
        await alice.shutdown()
        await bob.shutdown()
    }

    @Test func aNameThatLeadsNowhereSaysSo() async throws {
        let server = try await serve([:])
        let peer = try Peer.quiet()
        await peer.useNameServer(try #require(server.localAddress))
        await #expect {
            try await peer.connect(Multiaddr("/dnsaddr/nobody.test"))
        } throws: { error in
            (error as? PeerError)?.code == .unreachable && "\(error)".contains("nobody.test")
        }
        await peer.shutdown()
        try await server.close()
    }
}
