import CUsrsctp
import Wire

/// What is looked at in a packet of the remote before usrsctp, which is C, gets to see it (RFC 9260 §3).
///
/// Dropped are packets whose chunks do not have the lengths they claim, chunks of extensions that we never offer
/// (a remote that sends them anyway wants something else), and requests for more streams than `Limits` has. What is
/// left may still be wrong in a hundred ways; usrsctp answers those by the RFC.
struct SCTPPacketCheck: Equatable {
    /// Data is in it.
    var hasData = false
    /// There is nothing in it but data and acknowledgements: it changes nothing that the check of the next one asks for.
    var isOrdinary = true
    /// An INIT is in it.
    var hasInit = false
    /// A hash of the COOKIE-ECHO in it.
    var cookieEcho: Int?

    /// The chunk types of RFC 9260, 3758, 4820 and 6525; unknown ones besides ``refused`` are answered by usrsctp.
    private enum Chunk {
        static let data: UInt8 = 0
        static let acknowledgement: UInt8 = 3
        static let initiation: UInt8 = 1
        static let cookieEcho: UInt8 = 10
        static let reconfiguration: UInt8 = 130
    }
    /// ECN-ECHO, CWR, AUTH, NR-SACK, I-DATA, ASCONF-ACK, PKTDROP, ASCONF, I-FORWARD-TSN: never offered.
    private static let refused: Set<UInt8> = [12, 13, 15, 16, 64, 128, 129, 193, 194]
    /// Parameters of RE-CONFIG (RFC 6525 §4): a remote may not reset our streams or transmission numbers for us.
    private enum Parameter {
        static let incomingReset: UInt16 = 14
        static let transmissionReset: UInt16 = 15
        static let addIncoming: UInt16 = 18
    }

    /// nil: to be dropped.
    ///
    /// - Parameter outboundStreams: how many we have.
    init?(_ packet: UnsafeRawBufferPointer, outboundStreams: Int) {
        guard (SCTPChecksum.shortest...Limits.sctpPacketReceived).contains(packet.count) else { return nil }
        var offset = 12
        while offset < packet.count {
            guard let length = Self.length(at: offset, in: packet, end: packet.count) else { return nil }
            let type = packet[offset]
            switch type {
            case Chunk.data: hasData = true
            case Chunk.acknowledgement: break
            default:
                isOrdinary = false
                let chunk = UnsafeRawBufferPointer(rebasing: packet[offset..<offset + length])
                guard see(chunk, type, outboundStreams: outboundStreams) else { return nil }
            }
            // The last chunk's padding may be missing.
            offset += (length + 3) & ~3
        }
    }

    /// A chunk out of the ordinary; false: the packet is to be dropped.
    private mutating func see(_ chunk: UnsafeRawBufferPointer, _ type: UInt8, outboundStreams: Int) -> Bool {
        switch type {
        case Chunk.initiation: hasInit = true
        case Chunk.cookieEcho:
            var hasher = Hasher()
            hasher.combine(bytes: chunk)
            cookieEcho = hasher.finalize()
        case Chunk.reconfiguration: return Self.isAcceptable(reconfiguration: chunk, outboundStreams: outboundStreams)
        default: return !Self.refused.contains(type)
        }
        return true
    }

    /// The length field of the chunk or parameter at `offset`, when it is possible.
    private static func length(at offset: Int, in bytes: UnsafeRawBufferPointer, end: Int) -> Int? {
        guard end - offset >= 4 else { return nil }
        let length = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
        return length >= 4 && length <= end - offset ? length : nil
    }

    private static func isAcceptable(reconfiguration chunk: UnsafeRawBufferPointer, outboundStreams: Int) -> Bool {
        var offset = 4
        var streams = outboundStreams
        while offset < chunk.count {
            guard let length = length(at: offset, in: chunk, end: chunk.count) else { return false }
            switch UInt16(chunk[offset]) << 8 | UInt16(chunk[offset + 1]) {
            case Parameter.incomingReset, Parameter.transmissionReset: return false
            case Parameter.addIncoming:
                guard length >= 12 else { return false }
                streams += Int(chunk[offset + 8]) << 8 | Int(chunk[offset + 9])
                guard streams <= Limits.sctpOutboundStreams else { return false }
            default: break
            }
            offset += (length + 3) & ~3
        }
        return true
    }
}
