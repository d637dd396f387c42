import DequeModule
import NIOCore
import OrderedCollections
import Wire

/// Data to and from peers (RFC 8656 §11, §12).
extension TURNClient {
    // MARK: In

    mutating func received(_ frame: ByteBuffer, now: NIODeadline) {
        guard let first = frame.getInteger(at: frame.readerIndex, as: UInt8.self) else { return }
        if ChannelData.isChannelData(firstByte: first) {
            guard let data = ChannelData(parsing: frame), let peer = peers[data.number] else { return }
            return received(data.bytes, from: peer)
        }
        guard let message = try? STUNMessage(parsing: frame) else { return }
        switch message.messageClass {
        case .success, .error: answered(message, now: now)
        case .indication:
            guard message.method == .data, message.unknownRequired.isEmpty, let peer = message.xorPeerAddress,
                let bytes = message.data
            else { return }
            received(bytes, from: peer)
        case .request: return
        }
    }

    /// Only from whom we asked the server to let in: its own word for it is not enough.
    private mutating func received(_ bytes: ByteBuffer, from peer: TransportAddress) {
        guard let grant = permissions[peer.ip], grant.standing != .refused, bytes.readableBytes > 0 else { return }
        outputs.append(.received(bytes, from: peer))
    }

    // MARK: Out

    mutating func send(_ bytes: ByteBuffer, to peer: TransportAddress, now: NIODeadline) {
        guard case .allocated(let relayed, _) = state, peer != relayed, Self.areAlike(relayed.ip, peer.ip),
            bytes.readableBytes <= Limits.datagramReceived, bytes.readableBytes > 0
        else { return }
        switch permissions[peer.ip]?.standing {
        case .granted: transmit(bytes, to: peer, now: now)
        case .refused: return
        case .requested: hold(bytes, for: peer)
        case nil:
            guard permissions.count < Limits.turnPermissions else { return }
            permissions[peer.ip] = Grant()
            hold(bytes, for: peer)
            request(.permit(peer.ip), now: now)
        }
    }

    private static func areAlike(_ one: IPAddress, _ other: IPAddress) -> Bool {
        switch (one, other) {
        case (.v4, .v4), (.v6, .v6): true
        default: false
        }
    }

    private mutating func hold(_ bytes: ByteBuffer, for peer: TransportAddress) {
        if held[peer.ip, default: []].count >= Limits.turnHeldDatagrams { _ = held[peer.ip]?.popFirst() }
        held[peer.ip, default: []].append(Held(bytes: bytes, peer: peer))
    }

    /// Sends what is permitted: through the channel if there is one.
    mutating func transmit(_ bytes: ByteBuffer, to peer: TransportAddress, now: NIODeadline) {
        if let grant = permissions[peer.ip], !grant.isUsed {
            Self.touch(&permissions[peer.ip, default: grant], now: now)
        }
        if let channel = channels[peer], channel.grant.standing == .granted {
            if !channel.grant.isUsed { Self.touch(&channels[peer, default: channel].grant, now: now) }
            let isPadded = server.transport == .tcp
            return outputs.append(.send(ChannelData(number: channel.number, bytes: bytes).encoded(padded: isPadded)))
        }
        let isCheck = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self).map { STUNMessage.isSTUN(firstByte: $0) }
        if isCheck == false, channels[peer] == nil { bind(peer, now: now) }
        let indication = STUNMessage(
            .indication, .send, transaction: STUNTransactionID(from: &entropy),
            attributes: [.xorPeerAddress(peer), .data(bytes)])
        outputs.append(.send(indication.encoded(fingerprint: false)))
    }

    /// Numbers are never used again: 4096 suffice, and who needs more goes on without a channel.
    private mutating func bind(_ peer: TransportAddress, now: NIODeadline) {
        guard channels.count < Limits.turnChannels, ChannelData.numbers.contains(nextNumber) else { return }
        channels[peer] = Channel(number: nextNumber)
        peers[nextNumber] = peer
        nextNumber += 1
        request(.bind(peer), now: now)
    }
}
