import ICE
import NIOCore
import Node
import Wire

/// TCP from nodes to TURN servers: in order, nothing lost, out through every NAT.
///
/// The server knows a stream by an address that nobody has, from `10.3.0.1`; where there is no server, nobody answers.
extension Simulator {
    /// The node's end of a stream.
    struct RelayStreamID: Hashable {
        let end: PipeEnd
        let pipe: TURNPipe.ID
    }

    struct RelayStream {
        let server: TransportAddress
        /// Whom the server takes it for.
        let alias: TransportAddress
        var framing = TURNFraming()
        var inbox = ByteBuffer()
        /// The node hears no more; what it said still arrives.
        var isClosed = false
        /// When the last of what is on its way arrives, out and in: the next arrives no sooner.
        var (arrivalOut, arrivalIn): (NIODeadline, NIODeadline)
    }

    func perform(_ command: TURNPipe.Command, on pipe: TURNPipe.ID, of end: PipeEnd) {
        let id = RelayStreamID(end: end, pipe: pipe)
        switch command {
        case .connect(let address):
            guard servers[address.ip]?.address == address,
                internet.seenByTCP(from: Self.ip(of: end.node), to: address.ip) != nil
            else { return }
            relayStreamCount += 1
            let alias = TransportAddress(
                .v4(IPv4Address(0x0A03_0001)), port: UInt16(truncatingIfNeeded: relayStreamCount))
            relayStreams[id] = RelayStream(server: address, alias: alias, arrivalOut: now, arrivalIn: now)
            relayAliases[alias] = id
            schedule(.relayPipe(id, .connected), at: now + delay() + delay())
        case .send(let bytes):
            guard let stream = relayStreams[id], !stream.isClosed else { return }
            let arrival = max(now + delay(), stream.arrivalOut)
            relayStreams[id]?.arrivalOut = arrival
            schedule(.relayBytes(id, bytes), at: arrival)
        case .close: closeRelayStream(id)
        }
    }

    func closeRelayStreams(of end: PipeEnd) {
        for id in relayStreams.keys.filter({ $0.end == end }).sorted(by: { $0.pipe < $1.pipe }) { closeRelayStream(id) }
    }

    private func closeRelayStream(_ id: RelayStreamID) {
        guard let stream = relayStreams[id], !stream.isClosed else { return }
        relayStreams[id]?.isClosed = true
        schedule(.relayEnd(id), at: max(now, stream.arrivalOut))
    }

    /// The end of a stream came to the server.
    func relayEnded(_ id: RelayStreamID) {
        guard let stream = relayStreams.removeValue(forKey: id) else { return }
        relayAliases[stream.alias] = nil
    }

    /// Bytes of a node came to a server.
    func relayBytesArrived(_ bytes: ByteBuffer, from id: RelayStreamID) {
        guard var stream = relayStreams[id] else { return }
        stream.inbox.writeImmutableBuffer(bytes)
        var frames: [ByteBuffer] = []
        while case .frame(let frame) = stream.framing.received(&stream.inbox) { frames.append(frame) }
        relayStreams[id] = stream
        for frame in frames { serve(frame, from: stream.alias, at: stream.server) }
    }

    /// A server says something to a stream.
    func relaySends(_ bytes: ByteBuffer, to id: RelayStreamID) {
        guard let stream = relayStreams[id] else { return }
        // A frame of a stream is padded; the simulated server only knows datagrams.
        let frame = ChannelData(parsing: bytes).map { $0.encoded(padded: true) } ?? bytes
        let arrival = max(now + delay(), stream.arrivalIn)
        relayStreams[id]?.arrivalIn = arrival
        schedule(.relayPipe(id, .received(frame)), at: arrival)
    }

    func relayPipeHappened(_ event: TURNPipe.Event, to id: RelayStreamID) {
        guard relayStreams[id]?.isClosed == false else { return }
        handle(.relayPipe(id.end.id, id.pipe, event), at: id.end.node)
    }
}
