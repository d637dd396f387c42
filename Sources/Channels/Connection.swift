package import NIOCore
package import Wire

/// One connection over a byte pipe: raw bytes in, authenticated multiplexed streams out.
///
///     idle ──start──▶ upgrading (see ``Upgrade``) ──▶ muxing (see ``YamuxSession``) ──▶ closed
///                         └──────────── error, deadline, end of the pipe ────────────────▲
///
/// Sections 2.1, 2.2, 2.4, 2.7 and 9 of the wire reference. Bytes that arrive behind the end of one step stay in the
/// inbox for the next. What a call of `handle` makes due leaves in few large `.send`s, which `poll` makes: control
/// frames first, then one DATA frame of each stream in turn. A pipe that reported it is full gets no DATA and a
/// bounded number of control bytes.
///
/// Every stream ends in exactly one of `.streamRefused` and `.streamClosed`, unless it is an inbound one that never
/// got a protocol, of which nothing is said. `.closed` is the last output there is.
///
/// Limits: one unfinished record in the inbox; `Limits.upgradeTimeout`, `Limits.negotiationTimeout` per stream,
/// `Limits.streamBacklog` streams in negotiation; the limits of ``YamuxSession``; `Limits.connectionSendBurst` bytes
/// out between two inputs. It does not limit what the application writes (see ``bufferedAmount(of:)``), does not
/// close idle streams and does not know what protocols mean.
package final class Connection: Machine {
    package enum Input {
        /// The pipe is there.
        case start
        case bytes(ByteBuffer)
        /// The pipe ended, either way.
        case pipeClosed
        case pipeWritable(Bool)
        /// The deadline has come.
        case tick
    }

    package enum Output {
        /// Bytes for the pipe, in order.
        case send(ByteBuffer)
        /// The remote is who it claims to be and streams may be opened.
        case established(PeerID)
        /// Our stream has its protocol.
        case streamOpened(StreamID, protocol: String)
        /// Our stream will never have a protocol; it is gone.
        case streamRefused(StreamID, StreamRefusal)
        /// The remote opened a stream with one of our protocols.
        case streamAccepted(StreamID, protocol: String)
        /// Data, in order. Give the credit back by `consumed` once it is dealt with.
        case received(StreamID, ByteBuffer)
        /// The remote will send no more.
        case endOfStream(StreamID)
        /// The stream is gone.
        case streamClosed(StreamID, StreamEnd)
        /// A stream that had buffered above `Limits.streamSendHighWater` is below the low water again.
        case writable(StreamID)
        /// A ping was answered.
        case roundTrip(TimeAmount)
        /// The last output: close the pipe. Nil when either side closed in order.
        case closed(ConnectionError?)
    }

    enum State {
        case idle
        case upgrading(Upgrade, deadline: NIODeadline)
        case muxing
        /// What is queued still leaves; then this is said.
        case closing(ConnectionError?)
        case closed
    }

    package let role: Role
    package var configuration: ConnectionConfiguration {
        didSet { streams.inboundProtocols = configuration.inboundProtocols }
    }
    /// The remote's key, once it is proven.
    package internal(set) var remotePublicKey: PublicKey?
    package var remotePeer: PeerID? { remotePublicKey?.peerID }
    /// The security protocol and the muxer, as libp2p names them.
    package var security: String { Upgrade.security }
    package var muxer: String { Upgrade.muxer }
    /// Bytes of the pipe, both ways.
    package private(set) var bytesSent: UInt64 = 0
    package private(set) var bytesReceived: UInt64 = 0
    /// The smoothed round-trip time, once measured.
    package var roundTrip: TimeAmount? { streams.session.roundTrip }
    /// Streams open now, both ways, those in negotiation included.
    package var streamCount: Int {
        if case .muxing = state { streams.session.streamCount } else { 0 }
    }
    /// Bytes received and not handed out: an unfinished record, and what streams in negotiation hold.
    package var heldBytes: Int {
        inbox.readableBytes + plaintext.readableBytes + streams.heldBytes
    }

    var state = State.idle
    private let handshake: NoiseHandshake
    /// Raw bytes not read yet: less than a record.
    private var inbox = ByteBuffer()
    /// Opened bytes not read yet: less than a Yamux header.
    private var plaintext = ByteBuffer()
    private var transport: NoiseTransport?
    /// The session and its streams; all outputs wait there, so that they keep their order.
    var streams: NegotiatedStreams<YamuxSession>
    private var isPipeWritable = true
    private var controlBytesWhileBlocked = 0
    private var burst = 0
    private var burstDeadline = NIODeadline.distantFuture
    var lastNow = NIODeadline.uptimeNanoseconds(0)

    /// `expecting` is whom we dialed, when we know.
    package init(
        role: Role, identity: KeyPair, expecting: PeerID?, configuration: ConnectionConfiguration, entropy: Entropy
    ) {
        var entropy = entropy
        self.role = role
        self.configuration = configuration
        handshake = NoiseHandshake(
            role == .dialer ? .initiator : .responder, identity: identity, keys: NoiseKeys(from: &entropy),
            expecting: expecting, muxers: [Upgrade.muxer])
        streams = NegotiatedStreams(
            session: YamuxSession(
                role: role, inboundLimit: configuration.inboundStreams,
                keepAliveInterval: configuration.keepAliveInterval),
            inboundProtocols: configuration.inboundProtocols)
    }

    package var deadline: NIODeadline {
        switch state {
        case .idle, .closed: .distantFuture
        case .upgrading(_, let deadline): deadline
        case .muxing: min(streams.session.deadline, streams.deadline, burstDeadline)
        case .closing: burstDeadline
        }
    }

    /// How often the remote is pinged from now on.
    package func setKeepAlive(_ interval: TimeAmount, now: NIODeadline) {
        configuration.keepAliveInterval = interval
        streams.session.keepAlive.setInterval(interval, now: now)
    }

    package func handle(_ input: consuming Input, now: NIODeadline) {
        lastNow = now
        burst = 0
        burstDeadline = .distantFuture
        switch consume input {
        case .start: start(now: now)
        case .bytes(let bytes):
            bytesReceived += UInt64(bytes.readableBytes)
            received(bytes, now: now)
        case .pipeClosed: finish(.pipeClosed)
        case .pipeWritable(let writable):
            isPipeWritable = writable
            controlBytesWhileBlocked = 0
        case .tick: timedOut(now: now)
        }
    }

    package func poll() -> Output? {
        if let output = streams.poll() { return output }
        if let bytes = nextWrite() {
            count(sent: bytes)
            return .send(bytes)
        }
        if let output = streams.poll() { return output }
        guard case .closing(let error) = state, burstDeadline == .distantFuture else { return nil }
        state = .closed
        streams.session.streams = [:]
        return .closed(error)
    }

    private func count(sent bytes: ByteBuffer) { bytesSent += UInt64(bytes.readableBytes) }

    private func start(now: NIODeadline) {
        guard case .idle = state else { return }
        var upgrade = Upgrade(role: role, handshake: handshake)
        let first = upgrade.opened()
        state = .upgrading(upgrade, deadline: now + Limits.upgradeTimeout)
        if let first { send(first) }
    }

    private func timedOut(now: NIODeadline) {
        switch state {
        case .idle, .closing, .closed: break
        case .upgrading(_, let deadline):
            if now >= deadline { finish(.upgradeTimeout) }
        case .muxing:
            streams.session.handle(.tick, now: now)
            drainSession()
            guard case .muxing = state else { return }
            streams.timedOut(now: now)
            drainSession()
        }
    }

    private func send(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        count(sent: bytes)
        streams.append(.send(bytes))
    }

    // MARK: Bytes in

    private func received(_ bytes: ByteBuffer, now: NIODeadline) {
        switch state {
        case .idle, .upgrading:
            if inbox.readableBytes == 0 { inbox = bytes } else { inbox.writeImmutableBuffer(bytes) }
            continueUpgrade(now: now)
        case .muxing: receivedRecords(bytes, now: now)
        case .closing, .closed: break
        }
    }

    private func continueUpgrade(now: NIODeadline) {
        while case .upgrading(var upgrade, let deadline) = state {
            do throws(ConnectionError) {
                let action = try upgrade.received(&inbox)
                state = .upgrading(upgrade, deadline: deadline)
                switch action {
                case .none: return
                case .write(let bytes): send(bytes)
                case .finished(let last, let secured):
                    if let last { send(last) }
                    establish(secured, now: now)
                }
            } catch {
                finish(error)
            }
        }
    }

    private func establish(_ secured: Upgrade.Secured, now: NIODeadline) {
        remotePublicKey = secured.remoteKey
        transport = secured.transport
        plaintext = secured.plaintext
        state = .muxing
        streams.append(.established(secured.remoteKey.peerID))
        streams.session.handle(.started, now: now)
        receivedPlaintext(now: now)
        let rest = inbox
        inbox = ByteBuffer()
        receivedRecords(rest, now: now)
    }

    /// Completes the record that is waiting with as few bytes as it lacks, so that the rest is opened where it is.
    private func receivedRecords(_ bytes: ByteBuffer, now: NIODeadline) {
        var bytes = bytes
        while inbox.readableBytes > 0, bytes.readableBytes > 0 {
            let missing = NoiseTransport.missing(in: inbox)
            guard var chunk = bytes.readSlice(length: min(missing, bytes.readableBytes)) else { return }
            inbox.writeBuffer(&chunk)
            openRecords(now: now)
        }
        guard bytes.readableBytes > 0 else { return }
        inbox = bytes
        openRecords(now: now)
    }

    private func openRecords(now: NIODeadline) {
        while case .muxing = state {
            do throws(NoiseError) {
                guard try transport?.receive(&inbox, into: &plaintext) == true else { return }
            } catch {
                finish(.noise(error))
                return
            }
            receivedPlaintext(now: now)
        }
    }

    /// Each record has a buffer of its own, so that a slice kept by a consumer holds no other record's memory.
    private func receivedPlaintext(now: NIODeadline) {
        guard plaintext.readableBytes > 0 else { return }
        let bytes = plaintext
        plaintext = ByteBuffer()
        streams.session.handle(.bytes(bytes), now: now)
        drainSession()
    }

    // MARK: Bytes out

    /// What is due, in one buffer of at most `Limits.connectionWrite` bytes.
    private func nextWrite() -> ByteBuffer? {
        switch state {
        case .muxing, .closing: break
        case .idle, .upgrading, .closed: return nil
        }
        guard transport != nil else { return nil }
        if !isPipeWritable, controlBytesWhileBlocked >= Limits.controlBytesWhileBlocked { return nil }
        guard burst < Limits.connectionSendBurst else {
            if streams.session.hasFrames(data: isPipeWritable) { burstDeadline = lastNow }
            return nil
        }
        var output = ByteBuffer()
        do throws(NoiseError) {
            while output.readableBytes < Limits.connectionWrite - Limits.noiseRecordSent - 18,
                let (header, payload) = streams.session.nextFrame(data: isPipeWritable)
            {
                if output.capacity == 0 { reserve(&output, first: payload) }
                try write(header, payload, to: &output)
            }
            try transport?.finish(&output)
        } catch {
            finish(.noise(error))
            return nil
        }
        drainSession()
        guard output.readableBytes > 0 else { return nil }
        burst += output.readableBytes
        if !isPipeWritable { controlBytesWhileBlocked += output.readableBytes }
        return output
    }

    private func reserve(_ output: inout ByteBuffer, first payload: ByteBuffer?) {
        let queued = streams.session.queuedBytes + (payload?.readableBytes ?? 0)
        let estimate = queued + queued / 256 + 256
        output.reserveCapacity(isPipeWritable ? min(estimate, Limits.connectionWrite) : 256)
    }

    /// A DATA frame that does not fit the open record starts one: full frames and full records then coincide.
    private func write(
        _ header: YamuxHeader, _ payload: ByteBuffer?, to output: inout ByteBuffer
    ) throws(NoiseError) {
        let length = YamuxHeader.length + (payload?.readableBytes ?? 0)
        if let room = transport?.room(in: output), room < length { try transport?.finish(&output) }
        try transport?.append(header, to: &output)
        if let payload { try transport?.append(payload, to: &output) }
    }

    // MARK: The end

    /// Ends everything once; what the session has queued (a go-away) still leaves.
    func finish(_ error: ConnectionError?) {
        switch state {
        case .closing, .closed: return
        case .idle, .upgrading, .muxing: break
        }
        streams.connectionEnded()
        switch error {
        case nil, .yamux: break
        // Nobody is there to read more, or nobody we trust.
        default: transport = nil
        }
        inbox = ByteBuffer()
        plaintext = ByteBuffer()
        state = .closing(error)
    }

    /// Says go-away, behind what is queued and fits, and ends with `.closed(nil)`.
    package func close(now: NIODeadline) {
        lastNow = now
        burst = 0
        if case .muxing = state { streams.session.close() }
        finish(nil)
    }
}
