import DequeModule
package import NIOCore
package import WebRTC
package import Wire

/// A stand-in for DTLS: two hellos that carry fingerprints, then packets behind a byte.
///
///     idle ──start / client hello──▶ greeting ──server hello / finished──▶ connected ──close──▶ closed
///
/// The client repeats its hello, the server repeats its own whenever the client does: a lost one costs 50 ms, then
/// twice as much. The first byte of every datagram is that of a DTLS record, so that demultiplexers see no difference.
package final class PlainDTLS: DTLSEngine {
    private enum State { case idle, greeting, connected, closed }
    private enum Kind: UInt8 { case hello = 22, packet = 23, closing = 21 }

    package let role: DTLSRole
    private let fingerprint: Fingerprint
    private var state = State.idle
    private var wait = TimeAmount.milliseconds(50)
    private var giveUp = NIODeadline.distantFuture
    private var received: Deque<ByteBuffer> = []
    private var datagrams: Deque<Datagrams> = []
    private var events: Deque<DTLSEvent> = []
    package private(set) var deadline = NIODeadline.distantFuture

    package init(_ role: DTLSRole, fingerprint: Fingerprint) {
        (self.role, self.fingerprint) = (role, fingerprint)
    }

    package var largestPacket: Int { Limits.datagramPayload - 37 }

    package func start(now: NIODeadline) {
        guard state == .idle else { return }
        state = .greeting
        giveUp = now + .seconds(30)
        if role == .client { repeatHello(now: now) }
    }

    package func received(_ datagram: ByteBuffer, now: NIODeadline) {
        var datagram = datagram
        guard let kind = datagram.readInteger(as: UInt8.self).flatMap(Kind.init(rawValue:)), state != .closed
        else { return }
        switch kind {
        case .hello:
            guard let bytes = datagram.readBytes(length: 32), let remote = Fingerprint(bytes) else { return }
            if role == .server { sendHello() }
            guard state != .connected else { return }
            state = .connected
            deadline = .distantFuture
            events.append(.connected(remote))
        case .packet:
            if state == .connected { received.append(datagram) }
        case .closing: end(nil)
        }
    }

    package func readPacket(into packet: inout ByteBuffer) -> Bool {
        guard let next = received.popFirst() else { return false }
        packet = next
        return true
    }

    package func send(_ packet: ByteBuffer, now: NIODeadline) -> Bool {
        guard state == .connected, packet.readableBytes <= largestPacket else { return false }
        append(.packet, packet)
        return true
    }

    package func nextDatagrams() -> Datagrams? { datagrams.popFirst() }
    package func poll() -> DTLSEvent? { events.popFirst() }

    package func timedOut(now: NIODeadline) {
        guard state == .greeting, role == .client, deadline <= now else { return }
        guard now < giveUp else { return end(DTLSError(.timeout, "no answer to the hello")) }
        wait = wait + wait
        repeatHello(now: now)
    }

    package func close(now: NIODeadline) {
        guard state != .closed else { return }
        if state == .connected { append(.closing, ByteBuffer()) }
        end(nil)
    }

    private func repeatHello(now: NIODeadline) {
        sendHello()
        deadline = now + min(wait, .seconds(2))
    }

    private func sendHello() { append(.hello, ByteBuffer(bytes: fingerprint.bytes)) }

    private func append(_ kind: Kind, _ payload: ByteBuffer) {
        var datagram = ByteBuffer()
        datagram.reserveCapacity(1 + payload.readableBytes)
        datagram.writeInteger(kind.rawValue)
        datagram.writeImmutableBuffer(payload)
        guard var last = datagrams.popLast() else { return datagrams.append(Datagrams(datagram)) }
        let fits = last.append(datagram)
        datagrams.append(last)
        if !fits { datagrams.append(Datagrams(datagram)) }
    }

    private func end(_ error: DTLSError?) {
        state = .closed
        deadline = .distantFuture
        events.append(.closed(error))
    }
}
