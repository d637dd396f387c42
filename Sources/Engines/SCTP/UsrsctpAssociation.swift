import CUsrsctp
import DequeModule
package import NIOCore
package import WebRTC
import Wire

/// One SCTP association on usrsctp, without IO and without a clock of its own (RFC 9260, 3758, 6525, 8261, 8831).
///
///     idle ──start──▶ connecting ──┬─ our handshake or the remote's is done ──▶ open ──┐
///                                  └─ no answer, refused ──▶ closed ◀── abort, lost, violation, remote's end
///
/// Both ends send INIT; usrsctp resolves the collision. A packet that comes before `start` is dropped: the remote's
/// INIT is answered by ours, so that costs no wait. Port 5000 at both ends, as SDP says it.
///
/// **Memory.** `Limits` has what may wait in each direction. A message that is larger than the one agreed on ends the
/// association: there is no way to go on with the stream it came on, and the remote was told.
///
/// **Time.** Everything but two things runs by `now`: usrsctp measures round trips, and the lifetime of
/// ``Reliability/maxLifetime(_:)``, by the system's clock. While anything is outstanding, the deadline is
/// `Limits.sctpTick` after the last call, otherwise `Limits.sctpIdleTick`. Timers of all associations of the process
/// fire on whoever tells the time first (``SCTPStack``); what they made for this one is in its mailbox by its next
/// deadline at the latest.
///
/// **Not here.** Several addresses per end, AUTH, ASCONF, I-DATA, restart by the remote, heartbeats (ICE's consent
/// checks tell whether the path lives). Since usrsctp would act on a restart, INITs and unknown cookies are dropped
/// once the association is up.
package final class UsrsctpAssociation: SCTPEngine {
    private enum State {
        case idle
        case connecting(OpaquePointer)
        case open(OpaquePointer)
        case closed
    }
    private static let port: UInt16 = 5000

    private let stack = SCTPStack.shared
    private let largestPacket: Int
    private let largestMessage: Int
    private let initialStreams: Int
    private var state = State.idle
    /// Its number in ``SCTPStack``.
    private var id: UInt = 0
    private var anchor: SCTPClock.Anchor?

    private var events: Deque<SCTPEvent> = []
    /// Emptied before ``events`` is read and before the mailbox is asked again.
    private var notices: Deque<SCTPNotice> = []
    /// Packets not taken yet, when not all of the mailbox's are taken at once.
    private var packets = PacketBatch()
    private var inboundStreams = 0
    package private(set) var outboundStreams = 0
    package private(set) var bufferedBytes = 0
    private var requests = SCTPStreamRequests()
    /// The size of the message that found no room.
    private var refused: Int?
    /// The hash of the last COOKIE-ECHO that came before the association was up: it may be repeated.
    private var acceptedCookie: Int?
    private var retransmittedChunks: UInt64 = 0
    private var isBundling = false
    private var isReceiving = true

    private var lastCall = NIODeadline.uptimeNanoseconds(0)
    /// The last packet that came or message that went.
    private var lastTraffic = NIODeadline.uptimeNanoseconds(0)

    /// - Parameters:
    ///   - streams: to begin with, each way; at most `Limits.sctpOutboundStreams`. 1024 cost about 100 KiB.
    ///   - largestPacket: bytes of an SCTP packet we send, header included.
    ///   - largestMessage: bytes, both ways.
    package init(streams: Int, largestPacket: Int, largestMessage: Int) {
        precondition(largestPacket >= 512 && largestMessage > 0, "our own configuration, not a remote's")
        initialStreams = max(1, min(streams, Limits.sctpOutboundStreams))
        (self.largestPacket, self.largestMessage) = (largestPacket, largestMessage)
    }

    deinit { dispose() }

    private var socket: OpaquePointer? {
        switch state {
        case .connecting(let socket), .open(let socket): socket
        case .idle, .closed: nil
        }
    }

    private var isOpen: Bool { if case .open = state { true } else { false } }

    // MARK: Beginning and end

    package func start(now: NIODeadline) {
        guard case .idle = state else { return }
        anchor = stack.join(now: now)
        lastCall = now
        lastTraffic = now
        id = stack.register()
        guard let socket = stack.makeSocket(id) else {
            stack.deregister(id)
            state = .closed
            events.append(.closed(SCTPError("usrsctp has no memory for a socket")))
            return
        }
        state = .connecting(socket)
        let result = enter(now: now, ticks: 1) {
            let result = self.configure(socket)
            guard result == 0 else { return result }
            let connected = Int(swiftpeer_sctp_connect(socket, self.id, Self.port))
            guard connected == 0 else { return connected }
            return Int(swiftpeer_sctp_set_path(socket, self.id, Self.port, UInt32(self.largestPacket - 12)))
        }
        if result != 0 { end(SCTPError("usrsctp refused its configuration: errno \(-result)"), now: now) }
    }

    private func configure(_ socket: OpaquePointer) -> Int {
        let sendBuffer = max(Limits.sctpSendBuffer, 2 * largestMessage)
        let receiveBuffer = max(Limits.sctpReceiveBuffer, 4 * largestMessage)
        let inbound = max(Limits.sctpInboundStreams, initialStreams)
        let results: [Int32] = [
            usrsctp_set_non_blocking(socket, 1),
            swiftpeer_sctp_set_linger(socket),
            swiftpeer_sctp_set(socket, SOL_SOCKET, SO_SNDBUF, Int32(clamping: sendBuffer)),
            swiftpeer_sctp_set(socket, SOL_SOCKET, SO_RCVBUF, Int32(clamping: receiveBuffer)),
            swiftpeer_sctp_set(socket, Int32(IPPROTO_SCTP), SCTP_NODELAY, 1),
            swiftpeer_sctp_allow_reconfiguration(socket),
            swiftpeer_sctp_tell_messages(socket),
            swiftpeer_sctp_set_streams(socket, UInt16(clamping: initialStreams), UInt16(clamping: inbound)),
            swiftpeer_sctp_subscribe(socket, UInt16(SCTP_ASSOC_CHANGE)),
            swiftpeer_sctp_subscribe(socket, UInt16(SCTP_SHUTDOWN_EVENT)),
            swiftpeer_sctp_subscribe(socket, UInt16(SCTP_STREAM_RESET_EVENT)),
            swiftpeer_sctp_subscribe(socket, UInt16(SCTP_STREAM_CHANGE_EVENT)),
            swiftpeer_sctp_bind(socket, id, Self.port),
        ]
        return Int(results.first { $0 != 0 } ?? 0)
    }

    package func abort(now: NIODeadline) {
        switch state {
        case .closed: return
        case .idle:
            state = .closed
            events.append(.closed(nil))
        case .connecting, .open: end(nil, now: now)
        }
    }

    /// Closes the socket, which makes an ABORT unless the remote is gone, and is heard of no more.
    private func end(_ error: SCTPError?, now: NIODeadline) {
        guard let socket else { return }
        state = .closed
        _ = enter(now: now, ticks: 1) {
            usrsctp_close(socket)
            return 0
        }
        collectPackets()
        stack.deregister(id)
        (bufferedBytes, outboundStreams, refused) = (0, 0, nil)
        events.append(.closed(error))
    }

    /// Without a trace: packets that closing makes find no mailbox.
    private func dispose() {
        guard let socket else { return }
        state = .closed
        _ = stack.enter {
            usrsctp_close(socket)
            return 0
        }
        stack.deregister(id)
    }

    /// Goes into usrsctp, its clock first.
    private func enter(now: NIODeadline, ticks: Int64, _ body: () -> Int) -> Int {
        guard var anchor else { return -1 }
        let result = stack.enter(&anchor, now: now, ticks: ticks, body)
        self.anchor = anchor
        lastCall = max(lastCall, now)
        return result
    }

    // MARK: Receiving

    package func received(_ packet: ByteBuffer, now: NIODeadline) {
        var packets = PacketBatch()
        packets.append(packet)
        received(packets, now: now)
    }

    package func received(_ packets: PacketBatch, now: NIODeadline) {
        guard socket != nil else { return }
        lastTraffic = now
        packets.withPackets { feed(&$0, now: now) }
        if let socket, !requests.isEmpty {
            requests.advance(socket, inbound: inboundStreams, outbound: outboundStreams, stack)
        }
    }

    /// Ordinary packets in one visit to usrsctp; any other alone, because what it brings about decides on the next.
    private func feed(_ packets: inout PacketIterator, now: NIODeadline) {
        while let socket {
            let start = packets
            if isOpen, let run = SCTPPacketRun(of: &packets, stack.checksum) {
                feed(run, from: start, socket, now: now)
            } else {
                guard let packet = packets.next() else { return }
                guard isAdmissible(packet) else { continue }
                _ = enter(now: now, ticks: Self.coarseTicks) { self.input(packet) }
            }
            collect(now: now)
        }
    }

    private func feed(_ run: SCTPPacketRun, from start: PacketIterator, _ socket: OpaquePointer, now: NIODeadline) {
        var packets = start
        _ = enter(now: now, ticks: Self.coarseTicks) {
            let isThrifty = run.count >= Limits.sctpThriftyRun
            if isThrifty { swiftpeer_sctp_set_acknowledgement(socket, Limits.sctpRunAcknowledgement) }
            for index in 0..<run.count {
                if isThrifty, index == run.lastData { swiftpeer_sctp_set_acknowledgement(socket, 2) }
                if let packet = packets.next() { _ = self.input(packet) }
            }
            return 0
        }
    }

    private func input(_ packet: UnsafeRawBufferPointer) -> Int {
        usrsctp_conninput(UnsafeMutableRawPointer(bitPattern: id), packet.baseAddress, packet.count, 0)
        return 0
    }

    private func isAdmissible(_ packet: UnsafeRawBufferPointer) -> Bool {
        guard let check = SCTPPacketCheck(packet, outboundStreams: outboundStreams) else { return false }
        if isOpen {
            guard !check.hasInit, check.cookieEcho == nil || check.cookieEcho == acceptedCookie else { return false }
        } else if let cookie = check.cookieEcho {
            acceptedCookie = cookie
        }
        // DTLS vouches for every byte, but peers fill the sum and RFC 8261 has it; it costs little.
        return stack.checksum.isRight(packet)
    }

    /// Milliseconds that come together before timers are looked at on the packet path, where it costs.
    private static let coarseTicks: Int64 = 5

    /// Takes over what the callbacks left.
    private func collect(now: NIODeadline) {
        let room = stack.withMailbox(id) { box in
            if !box.notices.isEmpty { swap(&box.notices, &notices) }
            retransmittedChunks = box.retransmittedChunks
            defer { box.sendRoom = nil }
            return box.sendRoom
        }
        while let notice = notices.popFirst() {
            if socket != nil { handle(notice, now: now) }
        }
        if let room, let room, isOpen { acknowledged(room: room) }
    }

    private func handle(_ notice: SCTPNotice, now: NIODeadline) {
        switch notice {
        case .received(let stream, let payloadProtocol, let bytes, let isUnordered, let isWhole):
            guard isWhole, bytes.readableBytes <= largestMessage else {
                return end(SCTPError("the remote sent a message above \(largestMessage) bytes"), now: now)
            }
            events.append(
                .received(
                    SCTPMessage(
                        stream: stream, PayloadProtocol(rawValue: payloadProtocol), bytes, isUnordered: isUnordered)))
        case .up(let outbound, let inbound):
            guard case .connecting(let socket) = state else { return }
            state = .open(socket)
            (outboundStreams, inboundStreams) = (outbound, inbound)
            events.append(.connected)
        case .down(let cause): end(cause.map(SCTPError.init), now: now)
        case .shutdown: requests.isShuttingDown = true
        case .remoteReset(let streams):
            events.append(.remoteReset(streams.isEmpty ? (0..<inboundStreams).map(UInt16.init(clamping:)) : streams))
        case .localReset(let streams, let performed):
            requests.answered(streams)
            events.append(.localReset(streams, performed: performed))
            becameWritable()
        case .streams(let outbound, let inbound):
            inboundStreams = inbound
            requests.answered(outbound: outbound)
            guard outbound > outboundStreams else { return }
            outboundStreams = outbound
            events.append(.streamsAdded(outbound: outbound))
        }
    }

    package func setReceiving(_ isReceiving: Bool, now: NIODeadline) {
        guard isReceiving != self.isReceiving, case .open(let socket) = state else { return }
        self.isReceiving = isReceiving
        guard isReceiving else { return stack.pause(socket) }
        _ = enter(now: now, ticks: 1) { 0 }
        stack.resume(socket, id: id, room: largestMessage + 1)
        collect(now: now)
    }

    package func poll() -> SCTPEvent? { events.popFirst() }

    // MARK: Sending

    package func send(_ message: SCTPMessage, now: NIODeadline) throws(SCTPSendError) {
        try send(message, isFollowed: false, now: now)
    }

    package func send(_ message: SCTPMessage, isFollowed: Bool, now: NIODeadline) throws(SCTPSendError) {
        guard case .open(let socket) = state else { throw .closed }
        let count = message.bytes.readableBytes
        precondition(count > 0, "RFC 8831 has no empty message; what we send is not chosen by a remote")
        guard count <= largestMessage else { throw .tooLarge }
        guard Int(message.stream) < outboundStreams else { throw .noStream }
        lastTraffic = now
        let (policy, value) = Self.policy(message.reliability)
        let result = message.bytes.withUnsafeReadableBytes { bytes in
            enter(now: now, ticks: Self.coarseTicks) {
                self.bundle(isFollowed, socket)
                return swiftpeer_sctp_send(
                    socket, bytes.baseAddress, bytes.count, message.stream, message.payloadProtocol.rawValue,
                    message.isUnordered ? UInt16(SCTP_UNORDERED) : 0, policy, value)
            }
        }
        switch result {
        case 0...: bufferedBytes += count
        // EAGAIN is the same number: the stream is being reset.
        case -Int(EWOULDBLOCK):
            refused = count
            throw .wouldBlock
        case -Int(EMSGSIZE): throw .tooLarge
        case -Int(EINVAL): throw .noStream
        default: throw .closed
        }
    }

    /// While messages follow one another in one turn, usrsctp keeps a packet that is not full until the next message, as
    /// TCP's Nagle does. Should the next one not be taken, what is kept leaves with the acknowledgement that is due.
    private func bundle(_ isFollowed: Bool, _ socket: OpaquePointer) {
        guard isFollowed != isBundling else { return }
        isBundling = isFollowed
        _ = swiftpeer_sctp_set(socket, Int32(IPPROTO_SCTP), SCTP_NODELAY, isFollowed ? 0 : 1)
    }

    private static func policy(_ reliability: Reliability) -> (UInt16, UInt32) {
        switch reliability {
        case .reliable: (UInt16(SCTP_PR_SCTP_NONE), 0)
        case .maxRetransmits(let count): (UInt16(SCTP_PR_SCTP_RTX), UInt32(count))
        // Zero would be given up before it is sent once.
        case .maxLifetime(let milliseconds): (UInt16(SCTP_PR_SCTP_TTL), UInt32(max(1, milliseconds)))
        }
    }

    private func acknowledged(room: Int) {
        bufferedBytes = max(0, max(Limits.sctpSendBuffer, 2 * largestMessage) - room)
        if let refused, room >= refused { becameWritable() }
    }

    private func becameWritable() {
        guard refused != nil, isOpen else { return }
        refused = nil
        events.append(.writable)
    }

    package func nextPacket(into packet: inout ByteBuffer) -> Bool {
        packet.clear()
        if packets.isEmpty { collectPackets() }
        guard let next = packets.popFirst() else { return false }
        packet.writeImmutableBuffer(next)
        return true
    }

    package func takePackets(into batch: inout PacketBatch) -> Bool {
        batch.removeAll()
        if !packets.isEmpty {
            swap(&packets, &batch)
        } else if socket != nil {
            _ = stack.withMailbox(id) { swap(&$0.packets, &batch) }
        }
        return !batch.isEmpty
    }

    /// Behind those not taken yet.
    private func collectPackets() {
        guard id != 0 else { return }
        var last = PacketBatch()
        _ = stack.withMailbox(id) { swap(&$0.packets, &last) }
        while let packet = last.popFirst() { packets.append(packet) }
    }

    // MARK: Streams

    package func addStreams(_ count: Int, now: NIODeadline) {
        guard case .open(let socket) = state, count > 0 else { return }
        requests.add(min(count, Limits.sctpOutboundStreams - outboundStreams))
        requestStreams(socket, now: now)
    }

    package func resetStreams(_ streams: [UInt16], now: NIODeadline) {
        guard case .open(let socket) = state else { return }
        requests.reset(streams.filter { Int($0) < outboundStreams })
        requestStreams(socket, now: now)
    }

    private func requestStreams(_ socket: OpaquePointer, now: NIODeadline) {
        _ = enter(now: now, ticks: 1) { 0 }
        let refused = requests.advance(socket, inbound: inboundStreams, outbound: outboundStreams, stack)
        if !refused.isEmpty { events.append(.localReset(refused, performed: false)) }
        collect(now: now)
    }

    // MARK: Time

    package var deadline: NIODeadline {
        guard socket != nil else { return .distantFuture }
        let isWaiting =
            !isOpen || bufferedBytes > 0 || !requests.isEmpty || requests.isShuttingDown
            || lastCall - lastTraffic < Limits.sctpQuiet
        return lastCall + (isWaiting ? Limits.sctpTick : Limits.sctpIdleTick)
    }

    package func timedOut(now: NIODeadline) {
        guard socket != nil else { return }
        _ = enter(now: now, ticks: 1) { 0 }
        collect(now: now)
        guard case .open(let socket) = state else { return }
        if !requests.isEmpty { requests.advance(socket, inbound: inboundStreams, outbound: outboundStreams, stack) }
        // A message given up before it was ever sent is acknowledged by nobody.
        if bufferedBytes > 0, status()?.sstat_unackdata == 0 {
            bufferedBytes = 0
            becameWritable()
        }
    }

    // MARK: Figures

    private func status() -> sctp_status? {
        guard let socket else { return nil }
        var status = sctp_status()
        let result = stack.enter { Int(swiftpeer_sctp_status(socket, &status)) }
        return result == 0 ? status : nil
    }

    package var statistics: SCTPStatistics {
        var statistics = SCTPStatistics()
        statistics.retransmittedChunks = retransmittedChunks
        guard isOpen, let status = status() else { return statistics }
        statistics.roundTrip = .milliseconds(Int64(status.sstat_primary.spinfo_srtt))
        statistics.congestionWindow = Int(status.sstat_primary.spinfo_cwnd)
        statistics.unacknowledgedChunks = Int(status.sstat_unackdata)
        return statistics
    }
}
