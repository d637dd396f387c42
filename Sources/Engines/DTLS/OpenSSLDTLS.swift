import DequeModule
package import NIOCore
package import WebRTC
package import Wire

/// One DTLS 1.2 association on OpenSSL (RFC 6347, as WebRTC uses it: RFC 8827 §6.5, RFC 8261).
///
///     created ──start──▶ verifying ──hello with its cookie──▶ handshaking ──Finished──▶ connected ──▶ closed
///                  │     (server with a cookie)                   ▲  │
///                  └──────────────────────────────────────────────┘  └── alert, protocol broken, timeout ──▶ closed
///
/// AEAD suites, X25519 and P-256, certificates of both ends, extended master secret demanded, `use_srtp` offered and
/// answered. No renegotiation, no resumption. A flight nobody answers is sent again after 50 ms, 100 ms, …; the last
/// flight when the remote repeats its own. Datagrams before `start`, and those sealed with keys not agreed on yet, wait.
/// Alerts count as long as nothing can be authenticated, and after that only authentic ones.
///
/// Limits: ``Limits/dtlsHandshakeTimeout``, and those named at ``DatagramPipe``, ``EarlyDatagrams`` and
/// ``HelloVerification``. It checks nothing of the remote's certificate but that its holder has the key, and does not
/// know where datagrams come from.
package final class OpenSSLDTLS: DTLSEngine {
    private enum State {
        case created
        /// A server that answers hellos and keeps nothing.
        case verifying(HelloVerification)
        case handshaking(DTLSSession)
        case connected(DTLSSession)
        case closed
    }

    package let role: DTLSRole
    private let context: DTLSContext
    private let cookie: [UInt8]?
    private let pipe = DatagramPipe()
    private var state = State.created
    private var early = EarlyDatagrams()
    /// Never more than two: connected, closed.
    private var events = Deque<DTLSEvent>()
    private var handshakeEnd = NIODeadline.distantFuture
    private var retransmission = NIODeadline.distantFuture

    /// - Parameter cookie: see `WebRTCEngines.makeDTLS`.
    init(_ role: DTLSRole, context: DTLSContext, cookie: [UInt8]?) {
        (self.role, self.context) = (role, context)
        self.cookie = role == .server ? cookie : nil
    }

    /// Worst suite: 13 bytes of header, 8 of nonce, 16 of tag.
    package static let largestPacket = Limits.datagramPayload - 37
    package var largestPacket: Int { Self.largestPacket }

    /// Whether this association costs memory beyond its own few hundred bytes.
    var keepsState: Bool {
        switch state {
        case .created, .closed: false
        case .verifying(let verification): verification.keepsState
        case .handshaking, .connected: true
        }
    }

    /// The suite agreed on, by OpenSSL's name.
    package var suite: String? {
        guard case .connected(let session) = state else { return nil }
        return session.suite
    }

    // MARK: Beginning

    package func start(now: NIODeadline) {
        guard case .created = state else { return }
        handshakeEnd = now + Limits.dtlsHandshakeTimeout
        if let cookie {
            state = .verifying(HelloVerification(binding: cookie))
        } else {
            begin(hello: nil, now: now)
        }
        for datagram in early.takeAll() { received(datagram, now: now) }
    }

    private func begin(hello: ByteBuffer?, now: NIODeadline) {
        guard let session = DTLSSession(context, role, pipe: pipe, hello: hello) else {
            // Either OpenSSL has no memory, or it did not like the hello: then another one may come.
            pipe.forgetInbound()
            if hello == nil { close(DTLSError(.internalError, "no memory for a handshake")) }
            return
        }
        state = .handshaking(session)
        shakeHands(session, now: now)
    }

    // MARK: Datagrams

    package func received(_ datagram: ByteBuffer, now: NIODeadline) {
        guard (1...Limits.dtlsDatagram).contains(datagram.readableBytes) else { return }
        switch state {
        case .closed: return
        case .created: early.keep(datagram)
        case .verifying(var verification):
            let action = verification.received(datagram)
            state = .verifying(verification)
            switch action {
            case .none: return
            case .reply(let reply): reply.withUnsafeReadableBytes { pipe.send($0) }
            case .accepted(let hello):
                state = .verifying(HelloVerification(binding: cookie ?? []))
                begin(hello: hello, now: now)
            }
        case .handshaking: handshakeReceived(datagram, now: now)
        case .connected:
            // Decrypted when it is asked for.
            pipe.received(datagram)
        }
    }

    package func received(_ train: Datagrams, now: NIODeadline) {
        var rest = train
        while !rest.isEmpty {
            // Decrypted when it is asked for.
            if case .connected = state, train.segmentSize <= Limits.dtlsDatagram { return pipe.received(rest) }
            if let datagram = rest.popFirst() { received(datagram, now: now) }
        }
    }

    /// Feeds a datagram to the handshake in steps: what its first records bring about decides on the next.
    private func handshakeReceived(_ datagram: ByteBuffer, now: NIODeadline) {
        var rest = datagram
        while case .handshaking(let session) = state {
            let expectsFinished = session.expectsFinished
            guard let admitted = EarlyDatagrams.admissible(of: &rest, expectsFinished: expectsFinished) else {
                return early.keep(rest)
            }
            pipe.received(admitted)
            shakeHands(session, now: now)
            // What waited for the remote's keys: its Finished, if it overtook their announcement.
            if case .handshaking = state, !expectsFinished, session.expectsFinished {
                for datagram in early.takeAll() { handshakeReceived(datagram, now: now) }
            }
        }
        if case .connected = state, rest.readableBytes > 0 { pipe.received(rest) }
    }

    private func shakeHands(_ session: DTLSSession, now: NIODeadline) {
        switch session.handshake() {
        case .failed(let error): close(error)
        case .done: connected(session)
        case .waiting: retransmission = session.timeLeft().map { now + $0 } ?? .distantFuture
        }
    }

    private func connected(_ session: DTLSSession) {
        guard session.usesExtendedMasterSecret else {
            session.shutDown()
            return close(DTLSError(.handshakeFailed, "the remote has no extended master secret"))
        }
        guard let fingerprint = session.remoteFingerprint else {
            return close(DTLSError(.internalError, "no certificate of the remote"))
        }
        state = .connected(session)
        (handshakeEnd, retransmission) = (.distantFuture, .distantFuture)
        for datagram in early.takeAll() { pipe.received(datagram) }
        events.append(.connected(fingerprint))
    }

    package func readPacket(into packet: inout ByteBuffer) -> Bool {
        packet.clear()
        var one = PacketBatch()
        guard read(into: &one, limit: 1), let next = one.popFirst() else { return false }
        packet.writeImmutableBuffer(next)
        return true
    }

    package func readPackets(into packets: inout PacketBatch) -> Bool {
        packets.removeAll()
        return read(into: &packets, limit: .max)
    }

    /// - Returns: whether there is any. The end of the association follows what came before it.
    private func read(into packets: inout PacketBatch, limit: Int) -> Bool {
        guard case .connected(let session) = state else { return false }
        switch session.read(into: &packets, limit: limit) {
        case .packet, .nothing: break
        case .ended:
            session.shutDown()
            close(nil)
        case .failed(let error): close(error)
        }
        return !packets.isEmpty
    }

    package func send(_ packet: ByteBuffer, now: NIODeadline) -> Bool {
        guard case .connected(let session) = state, (1...largestPacket).contains(packet.readableBytes) else {
            return false
        }
        return packet.withUnsafeReadableBytes { session.write($0) }
    }

    package func send(_ packets: PacketBatch, now: NIODeadline) {
        guard case .connected(let session) = state else { return }
        packets.withPackets { packets in
            while let packet = packets.next() {
                if packet.count <= Self.largestPacket { _ = session.write(packet) }
            }
        }
    }

    package func nextDatagrams() -> Datagrams? { pipe.nextTrain() }

    // MARK: Time and end

    package func poll() -> DTLSEvent? { events.popFirst() }

    package var deadline: NIODeadline { min(handshakeEnd, retransmission) }

    package func timedOut(now: NIODeadline) {
        if now >= handshakeEnd { return close(DTLSError(.timeout, "the handshake took too long")) }
        guard now >= retransmission, case .handshaking(let session) = state else { return }
        if let error = session.timedOut() { return close(error) }
        retransmission = session.timeLeft().map { now + $0 } ?? .distantFuture
    }

    package func close(now: NIODeadline) {
        if case .connected(let session) = state { session.shutDown() }
        close(nil)
    }

    /// Frees everything but what is still to be sent and told.
    private func close(_ error: DTLSError?) {
        if case .closed = state { return }
        state = .closed
        early = EarlyDatagrams()
        pipe.forgetInbound()
        (handshakeEnd, retransmission) = (.distantFuture, .distantFuture)
        events.append(.closed(error))
    }
}
