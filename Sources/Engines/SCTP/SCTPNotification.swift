import CUsrsctp

/// Notifications of usrsctp (RFC 6458 §6.1, RFC 6525 §6.1). They are a union in C: fields are read by their offset,
/// each after a look at the length, because a whole union is longer than what is there.
extension SCTPNotice {
    /// nil: nothing that concerns us.
    init?(notification bytes: UnsafeRawBufferPointer) {
        guard let type = Self.word(bytes, 0), let flags = Self.word(bytes, 2) else { return nil }
        switch Int32(type) {
        case SCTP_ASSOC_CHANGE: self.init(change: bytes)
        case SCTP_SHUTDOWN_EVENT: self = .shutdown
        case SCTP_STREAM_RESET_EVENT: self.init(reset: bytes, flags: Int32(flags))
        case SCTP_STREAM_CHANGE_EVENT:
            guard
                let inbound = Self.word(bytes, MemoryLayout<sctp_stream_change_event>.offset(of: \.strchange_instrms)),
                let outbound = Self.word(bytes, MemoryLayout<sctp_stream_change_event>.offset(of: \.strchange_outstrms))
            else { return nil }
            self = .streams(outbound: Int(outbound), inbound: Int(inbound))
        default: return nil
        }
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int?) -> UInt16? {
        guard let offset, offset + 2 <= bytes.count else { return nil }
        return bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
    }

    private init?(change bytes: UnsafeRawBufferPointer) {
        guard let state = Self.word(bytes, MemoryLayout<sctp_assoc_change>.offset(of: \.sac_state)),
            let error = Self.word(bytes, MemoryLayout<sctp_assoc_change>.offset(of: \.sac_error)),
            let outbound = Self.word(bytes, MemoryLayout<sctp_assoc_change>.offset(of: \.sac_outbound_streams)),
            let inbound = Self.word(bytes, MemoryLayout<sctp_assoc_change>.offset(of: \.sac_inbound_streams))
        else { return nil }
        // The remote's ABORT chunk stands behind the structure.
        let aborted = bytes.count >= MemoryLayout<sctp_assoc_change>.size + 4
        switch Int32(state) {
        case SCTP_COMM_UP: self = .up(outbound: Int(outbound), inbound: Int(inbound))
        case SCTP_SHUTDOWN_COMP: self = .down(cause: nil)
        // 12: "user-initiated abort" (RFC 9260 §3.3.10.12). Without a cause: the usual goodbye in WebRTC.
        case SCTP_COMM_LOST where aborted && (error == 0 || error == 12): self = .down(cause: nil)
        case SCTP_COMM_LOST where aborted: self = .down(cause: "the remote aborted the association, cause \(error)")
        case SCTP_COMM_LOST: self = .down(cause: "the association was lost: no answer, or a violation of the protocol")
        case SCTP_RESTART: self = .down(cause: "the remote began the association anew")
        case SCTP_CANT_STR_ASSOC:
            self = .down(cause: aborted ? "the remote refused the association, cause \(error)" : "no answer to INIT")
        default: return nil
        }
    }

    private init?(reset bytes: UnsafeRawBufferPointer, flags: Int32) {
        var streams: [UInt16] = []
        var offset = swiftpeer_sctp_reset_list_offset()
        while let stream = Self.word(bytes, offset) {
            streams.append(stream)
            offset += 2
        }
        let isRefused = flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED) != 0
        if flags & SCTP_STREAM_RESET_OUTGOING_SSN != 0 {
            self = .localReset(streams, performed: !isRefused)
        } else if !isRefused {
            self = .remoteReset(streams)
        } else {
            return nil
        }
    }
}
