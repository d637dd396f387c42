import CUsrsctp

/// What is to change in the streams of an association (RFC 6525), and what the remote has not answered yet.
///
/// usrsctp has one request out at a time, and forgets about those it could not make: they are made again after every
/// answer and at every tick, until they are answered. All is bounded by the number of streams.
struct SCTPStreamRequests: Sendable {
    /// Our side of these is to be reset; in the order asked for.
    private var resets: [UInt16] = []
    /// So many streams more, each way.
    private var wanted = 0
    /// A request for them is out since we had so many.
    private var askedAt: Int?
    /// The remote is leaving.
    var isShuttingDown = false

    var isEmpty: Bool { resets.isEmpty && wanted == 0 && askedAt == nil }

    mutating func reset(_ streams: [UInt16]) {
        for stream in streams where !resets.contains(stream) { resets.append(stream) }
    }

    mutating func add(_ count: Int) { wanted += max(0, count) }

    mutating func answered(_ streams: [UInt16]) {
        if streams.isEmpty { resets.removeAll() } else { resets.removeAll { streams.contains($0) } }
    }

    /// An end got more streams, or was refused them.
    mutating func answered(outbound: Int) { askedAt = nil }

    /// Makes the requests that can be made now.
    ///
    /// - Returns: streams that the remote cannot reset, because it does not know how.
    @discardableResult
    mutating func advance(_ socket: OpaquePointer, inbound: Int, outbound: Int, _ stack: SCTPStack) -> [UInt16] {
        var hopeless: [UInt16] = []
        var start = 0
        while start < resets.count {
            let part = Array(resets[start..<min(start + Int(SWIFTPEER_SCTP_RESETS), resets.count)])
            let result = stack.enter { Int(swiftpeer_sctp_reset(socket, part, UInt16(part.count))) }
            if result == -Int(EOPNOTSUPP) { hopeless += part }
            start += part.count
        }
        if !hopeless.isEmpty { answered(hopeless) }
        if wanted > 0, askedAt == nil { ask(socket, inbound: inbound, outbound: outbound, stack) }
        return hopeless
    }

    private mutating func ask(_ socket: OpaquePointer, inbound: Int, outbound: Int, _ stack: SCTPStack) {
        let count = UInt16(clamping: wanted)
        var result = stack.enter { Int(swiftpeer_sctp_add(socket, count, count)) }
        // More than we let the remote have: then for us alone.
        if result == -Int(EINVAL) { result = stack.enter { Int(swiftpeer_sctp_add(socket, count, 0)) } }
        switch result {
        case 0: (wanted, askedAt) = (0, outbound)
        // Another request is out.
        case -Int(EALREADY), -Int(EBUSY): break
        default: wanted = 0
        }
    }
}
