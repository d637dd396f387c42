import CUsrsctp
import NIOCore
import Synchronization
import Wire

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// usrsctp, of which a process has one: its settings, its clock, and the way its callbacks take.
///
/// **Threads.** Associations may belong to several event loops. Two locks make that safe:
///
///     any loop ──▶ gate ──▶ usrsctp ──callback──▶ mailboxes     (iterator thread of usrsctp ──▶ mailboxes)
///
/// - The *gate* is held around every call into usrsctp, so that only one thread is ever inside it. Its timers and
///   answers may concern any association, not only the caller's.
/// - The *mailboxes* are held for the moment in which a callback leaves something, or an owner takes it. No call into
///   usrsctp is ever made under this lock, and the gate is never taken under it: the order is fixed, so nothing
///   deadlocks. `usrsctp_conninput` from inside an output callback, which would, cannot happen: packets only queue.
///
/// **Names.** usrsctp knows an association by a number, given to it as an address and as callback argument, never by
/// a pointer to an object. Numbers are not used twice. A callback that comes late finds no mailbox and does nothing.
final class SCTPStack: Sendable {
    static let shared = SCTPStack()

    private let gate = Mutex(SCTPClock())
    private let mailboxes = Mutex(SCTPMailboxes())
    let checksum = SCTPChecksum()

    private init() {
        swiftpeer_sctp_init { address, packet, count, _, _ in
            SCTPStack.shared.send(packet, count, from: address)
            return 0
        }
        // We fill and check the sum ourselves, see SCTPChecksum.
        usrsctp_enable_crc32c_offload()
        // Neither WebRTC nor we have a use for these; several have been holes in usrsctp.
        usrsctp_sysctl_set_sctp_ecn_enable(0)
        usrsctp_sysctl_set_sctp_asconf_enable(0)
        usrsctp_sysctl_set_sctp_auto_asconf(0)
        usrsctp_sysctl_set_sctp_auth_enable(0)
        usrsctp_sysctl_set_sctp_pktdrop_enable(0)
        usrsctp_sysctl_set_sctp_nrsack_enable(0)
        usrsctp_sysctl_set_sctp_pr_enable(1)
        usrsctp_sysctl_set_sctp_reconfig_enable(1)
        // A packet out of the blue, or for an end that is gone: no answer. DTLS and ICE tell the remote.
        usrsctp_sysctl_set_sctp_blackhole(2)
        // RFC 9260 §16 has one second for both. Beneath us is DTLS between two ends, not the open internet's
        // SCTP: peers delay acknowledgements by at most 200 ms, so 300 ms of silence mean a loss; TCP goes by 200.
        // A handshake's first packet is repeated after half a second, that a lost one costs less than a blink more.
        // Backing off stays exponential. Ten repetitions last a minute: ICE notices a dead path before.
        usrsctp_sysctl_set_sctp_rto_min_default(300)
        usrsctp_sysctl_set_sctp_rto_initial_default(500)
        usrsctp_sysctl_set_sctp_rto_max_default(10_000)
        usrsctp_sysctl_set_sctp_init_rto_max_default(3000)
        usrsctp_sysctl_set_sctp_init_rtx_max_default(10)
        usrsctp_sysctl_set_sctp_assoc_rtx_max_default(10)
        usrsctp_sysctl_set_sctp_path_rtx_max_default(10)
        // An acknowledgement waits for a second packet, or so long.
        usrsctp_sysctl_set_sctp_delayed_sack_time_default(20)
        // As TCP (RFC 6928); and bursts are what segmentation offload is fast at.
        usrsctp_sysctl_set_sctp_initial_cwnd(10)
        usrsctp_sysctl_set_sctp_max_burst_default(0)
        usrsctp_sysctl_set_sctp_max_chunks_on_queue(UInt32(Limits.sctpQueuedChunks))
        usrsctp_sysctl_set_sctp_sendspace(UInt32(Limits.sctpSendBuffer))
        usrsctp_sysctl_set_sctp_recvspace(UInt32(Limits.sctpReceiveBuffer))
    }

    // MARK: Owners

    /// A mailbox for a new association; its number is the association's address.
    func register() -> UInt {
        let id = mailboxes.withLock { $0.add() }
        gate.withLock { _ in usrsctp_register_address(UnsafeMutableRawPointer(bitPattern: id)) }
        return id
    }

    /// From here on nothing is heard of the association. Its socket has been closed before.
    func deregister(_ id: UInt) {
        gate.withLock { _ in usrsctp_deregister_address(UnsafeMutableRawPointer(bitPattern: id)) }
        mailboxes.withLock { $0.remove(id) }
    }

    func join(now: NIODeadline) -> SCTPClock.Anchor { gate.withLock { $0.join(now: now) } }

    /// Goes into usrsctp: first all timers that are due fire, then `body`.
    ///
    /// The clock goes first because usrsctp starts a timer from what its clock shows: after a pause it would be the
    /// time before, and the timer fire at once.
    ///
    /// - Parameter ticks: how many milliseconds have to come together before timers are looked at.
    func enter(_ anchor: inout SCTPClock.Anchor, now: NIODeadline, ticks: Int64, _ body: () -> Int) -> Int {
        gate.withLock { clock in
            clock.advance(&anchor, to: now)
            if let elapsed = clock.due(least: ticks) { usrsctp_handle_timers(elapsed) }
            return body()
        }
    }

    /// Goes into usrsctp without telling the time: for what concerns no timer.
    func enter(_ body: () -> Int) -> Int { gate.withLock { _ in body() } }

    /// Looks into a mailbox.
    func withMailbox<Result: Sendable>(_ id: UInt, _ body: (inout SCTPMailbox) -> Result) -> Result? {
        mailboxes.withLock { $0.with(id, body) }
    }

    // MARK: Callbacks. Any thread inside usrsctp, for any association.

    private func send(_ packet: UnsafeMutableRawPointer?, _ count: Int, from address: UnsafeMutableRawPointer?) {
        guard let packet, count >= SCTPChecksum.shortest, count <= Limits.sctpPacketReceived else { return }
        let bytes = UnsafeMutableRawBufferPointer(start: packet, count: count)
        checksum.fill(bytes)
        _ = withMailbox(UInt(bitPattern: address)) { $0.sent(UnsafeRawBufferPointer(bytes)) }
    }

    /// A socket whose callbacks lead to the mailbox of `id`; nil: usrsctp has no memory.
    func makeSocket(_ id: UInt) -> OpaquePointer? {
        usrsctp_socket(
            AF_CONN, streamSocket, Int32(IPPROTO_SCTP), received,
            { _, room, id in
                _ = SCTPStack.shared.withMailbox(UInt(bitPattern: id)) { $0.sendRoom = Int(room) }
                return 0
            }, 0, UnsafeMutableRawPointer(bitPattern: id))
    }

    /// From now on messages stay in the socket's buffer, until ``resume(_:id:room:)``.
    func pause(_ socket: OpaquePointer) { gate.withLock { _ in _ = swiftpeer_sctp_set_callback(socket, nil) } }

    /// Takes what is in the socket's buffer, and from now on what comes, as it comes. Taking opens the window, of which
    /// usrsctp tells the remote.
    ///
    /// - Parameter room: bytes of the largest message.
    func resume(_ socket: OpaquePointer, id: UInt, room: Int) {
        gate.withLock { _ in
            let memory = UnsafeMutableRawPointer.allocate(byteCount: room, alignment: 8)
            defer { memory.deallocate() }
            while true {
                var info = sctp_rcvinfo()
                var flags: Int32 = 0
                let count = swiftpeer_sctp_receive(socket, memory, room, &info, &flags)
                guard count > 0 else { break }
                receive(memory, count, info, flags: flags, for: id)
            }
            _ = swiftpeer_sctp_set_callback(socket, received)
        }
    }

    fileprivate func receive(
        _ data: UnsafeMutableRawPointer?, _ count: Int, _ info: sctp_rcvinfo, flags: Int32, for id: UInt
    ) {
        let notice: SCTPNotice?
        if let data, count > 0 {
            let bytes = UnsafeRawBufferPointer(start: data, count: count)
            if flags & MSG_NOTIFICATION != 0 {
                notice = SCTPNotice(notification: bytes)
            } else {
                notice = .received(
                    stream: info.rcv_sid, payloadProtocol: UInt32(bigEndian: info.rcv_ppid), ByteBuffer(bytes: bytes),
                    isUnordered: info.rcv_flags & UInt16(SCTP_UNORDERED) != 0,
                    isWhole: flags & endOfRecord != 0)
            }
        } else {
            notice = .down(cause: nil)
        }
        guard let notice else { return }
        _ = withMailbox(id) { $0.notices.append(notice) }
    }
}

/// What a socket received, as long as it is not paused.
private let received:
    @convention(c) (
        OpaquePointer?, sctp_sockstore, UnsafeMutableRawPointer?, Int, sctp_rcvinfo, Int32, UnsafeMutableRawPointer?
    ) -> Int32 = { _, _, data, count, info, flags, id in
        // The memory is ours now.
        defer { free(data) }
        SCTPStack.shared.receive(data, count, info, flags: flags, for: UInt(bitPattern: id))
        return 1
    }

#if canImport(Darwin)
    private let streamSocket = SOCK_STREAM
    private let endOfRecord = MSG_EOR
#else
    private let streamSocket = Int32(SOCK_STREAM.rawValue)
    private let endOfRecord = Int32(MSG_EOR)
#endif
