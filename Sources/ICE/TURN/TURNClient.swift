import DequeModule
package import NIOCore
import OrderedCollections
package import Wire

/// One allocation on one TURN server (RFC 8656), for peers over UDP: an address at the server that others reach us by.
///
///     idle ──start──▶ allocating ──401──▶ allocating, signed ──success──▶ allocated ──close──▶ over
///                         └─────── refused, silence ────────┴─── lost, refresh refused ────────▶ over
///
/// - Requests are retransmitted as RFC 8489 §6.2.1 says, over TCP not at all. The first is not signed; the server's
///   401 tells realm and nonce, and all others carry long-term credentials. A stale nonce (438) is replaced.
/// - An allocation that stands in the way from before (437) is given back once, and asked for anew.
/// - Who is sent to must be permitted first: the datagrams wait for that, the latest few of them. ICE's checks then
///   travel in Send indications; the first datagram of another kind asks for a channel, and when it is bound,
///   ChannelData carries everything for that address.
/// - The allocation is refreshed a minute before its end; permissions and channels only as long as they are used.
///
/// It believes a response only with its transaction's id and, when the request was signed, with MESSAGE-INTEGRITY; data
/// only from addresses that were permitted. Whether what it gets is from the server at all is its owner's affair.
///
/// Limits: `Limits+TURN`. It knows no even ports, no reservations, no mobility, no alternate servers (300), no
/// password algorithms but MD5, and no TLS.
package struct TURNClient: Machine {
    package enum Input {
        /// The way to the server stands.
        case start
        /// A datagram from the server's address, or a frame of its stream.
        case received(ByteBuffer)
        case send(ByteBuffer, to: TransportAddress)
        /// The deadline came.
        case tick
        /// Gives the allocation back.
        case close
    }

    package enum Output: Hashable, Sendable {
        /// To the server; over TCP, the next bytes of the stream.
        case send(ByteBuffer)
        /// `mapped`: what the server sees of us.
        case allocated(relayed: TransportAddress, mapped: TransportAddress?)
        case received(ByteBuffer, from: TransportAddress)
        /// The last output; nil after `close`.
        case ended(TURNError?)
    }

    enum State: Hashable {
        case idle
        case allocating(hasCleared: Bool)
        case allocated(relayed: TransportAddress, refreshAt: NIODeadline)
        case over
    }

    /// Long-term credentials, as the server wants them.
    struct Credentials {
        let realm: String
        var nonce: String
        let key: STUNKey
    }

    /// What was asked of the server for a peer, and until when.
    struct Grant {
        enum Standing: Hashable {
            case requested
            case granted
            case refused
        }
        var standing = Standing.requested
        /// Used since it was granted.
        var isUsed = true
        /// When it is renewed or, unless renewed, forgotten.
        var next = NIODeadline.distantFuture
        var until = NIODeadline.distantFuture
    }

    struct Channel {
        let number: UInt16
        var grant = Grant()
    }

    struct Held {
        let bytes: ByteBuffer
        let peer: TransportAddress
    }

    let server: TURNServer
    var entropy: Entropy
    var state = State.idle
    var credentials: Credentials?
    var transactions: [TURNTransaction] = []
    var permissions: OrderedDictionary<IPAddress, Grant> = [:]
    /// What waits for a permission, oldest first.
    var held: [IPAddress: Deque<Held>] = [:]
    var channels: OrderedDictionary<TransportAddress, Channel> = [:]
    var peers: [UInt16: TransportAddress] = [:]
    var nextNumber = ChannelData.numbers.lowerBound
    var outputs = Deque<Output>()

    package init(server: TURNServer, entropy: Entropy) { (self.server, self.entropy) = (server, entropy) }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        if case .over = state { return }
        switch input {
        case .start:
            guard case .idle = state else { return }
            state = .allocating(hasCleared: false)
            request(.allocate, now: now)
        case .received(let frame): received(frame, now: now)
        case .send(let bytes, let peer): send(bytes, to: peer, now: now)
        case .tick: timedOut(now: now)
        case .close: close()
        }
    }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package var deadline: NIODeadline {
        var result = NIODeadline.distantFuture
        if case .allocated(_, let refreshAt) = state { result = refreshAt }
        for transaction in transactions { result = min(result, transaction.next) }
        for grant in permissions.values { result = min(result, grant.next) }
        for channel in channels.values { result = min(result, channel.grant.next) }
        return result
    }

    /// The address others reach us by; nil while there is none.
    package var relayed: TransportAddress? { if case .allocated(let relayed, _) = state { relayed } else { nil } }

    /// Whether an allocation may still come.
    package var isPending: Bool {
        switch state {
        case .idle, .allocating: true
        case .allocated, .over: false
        }
    }

    // MARK: Time

    private static let renewal = TimeAmount.seconds(60)
    private static let permissionTime = TimeAmount.seconds(300)
    private static let channelTime = TimeAmount.seconds(600)

    private mutating func timedOut(now: NIODeadline) {
        var index = 0
        while index < transactions.count {
            guard now >= transactions[index].next else {
                index += 1
                continue
            }
            if transactions[index].timedOut(now: now) {
                outputs.append(.send(transactions[index].request))
                index += 1
            } else {
                let lost = transactions.remove(at: index)
                gaveUp(lost, now: now)
                if case .over = state { return }
            }
        }
        if case .allocated(let relayed, let refreshAt) = state, now >= refreshAt {
            // The answer says when next; silence ends it.
            state = .allocated(relayed: relayed, refreshAt: .distantFuture)
            request(.refresh, now: now)
        }
        renew(now: now)
    }

    /// What was used since it was granted is asked for again; what was not goes when its time is over.
    private mutating func renew(now: NIODeadline) {
        for (ip, grant) in permissions where now >= grant.next {
            guard now < grant.until else {
                permissions[ip] = nil
                continue
            }
            permissions[ip]?.next = grant.until
            if grant.isUsed { request(.permit(ip), now: now) }
        }
        for (peer, channel) in channels where now >= channel.grant.next {
            guard now < channel.grant.until else {
                forget(channel: peer)
                continue
            }
            channels[peer]?.grant.next = channel.grant.until
            if channel.grant.isUsed { request(.bind(peer), now: now) }
        }
    }

    /// In use. When the time for renewing has passed, that makes up for it.
    static func touch(_ grant: inout Grant, now: NIODeadline) {
        guard !grant.isUsed else { return }
        grant.isUsed = true
        if now >= grant.until - renewal { grant.next = now }
    }

    static func granted(for time: TimeAmount, now: NIODeadline) -> Grant {
        Grant(standing: .granted, isUsed: false, next: now + time - renewal, until: now + time)
    }

    mutating func granted(permission ip: IPAddress, now: NIODeadline) {
        guard permissions[ip] != nil else { return }
        permissions[ip] = Self.granted(for: Self.permissionTime, now: now)
        for held in held.removeValue(forKey: ip) ?? [] { transmit(held.bytes, to: held.peer, now: now) }
    }

    mutating func granted(channel peer: TransportAddress, now: NIODeadline) {
        guard channels[peer] != nil else { return }
        channels[peer]?.grant = Self.granted(for: Self.channelTime, now: now)
        granted(permission: peer.ip, now: now)
    }

    /// Not asked for again for as long as a permission would have lasted.
    mutating func refused(permission ip: IPAddress, now: NIODeadline) {
        held[ip] = nil
        guard permissions[ip] != nil else { return }
        let until = now + Self.permissionTime
        permissions[ip] = Grant(standing: .refused, isUsed: false, next: until, until: until)
    }

    mutating func refused(channel peer: TransportAddress, now: NIODeadline) {
        guard let channel = channels[peer] else { return }
        peers[channel.number] = nil
        let until = now + Self.channelTime
        channels[peer]?.grant = Grant(standing: .refused, isUsed: false, next: until, until: until)
    }

    private mutating func forget(channel peer: TransportAddress) {
        guard let channel = channels.removeValue(forKey: peer) else { return }
        peers[channel.number] = nil
    }

    // MARK: The end

    private mutating func close() {
        var mayHaveAny = credentials != nil
        if case .idle = state { mayHaveAny = false }
        if mayHaveAny { outputs.append(.send(message(.clear, id: STUNTransactionID(from: &entropy)))) }
        end(nil)
    }

    mutating func end(_ error: TURNError?) {
        state = .over
        (transactions, permissions, held, channels, peers) = ([], [:], [:], [:], [:])
        outputs.append(.ended(error))
    }
}
