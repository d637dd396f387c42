import CUsrsctp

/// CRC32C as SCTP uses it (RFC 9260 §6.8), by the processor's instruction where it has one.
///
/// usrsctp is told to leave checksums to us: its table-driven one is what costs most of a packet.
struct SCTPChecksum: Sendable {
    /// The shortest packet: a common header and a chunk's.
    static let shortest = 16
    private static let field = 8

    private let isByProcessor: Bool

    /// - Parameter byProcessor: false: the portable one in any case.
    init(byProcessor: Bool = true) { isByProcessor = byProcessor && swiftpeer_sctp_sum_by_processor() != 0 }

    /// What a packet's field is to be, as it lies in memory. The packet has 16 to 8192 bytes.
    func compute(_ packet: UnsafeRawBufferPointer) -> UInt32 {
        isByProcessor
            ? swiftpeer_sctp_sum_processor(packet.baseAddress, packet.count)
            : swiftpeer_sctp_sum_portable(packet.baseAddress, packet.count)
    }

    func fill(_ packet: UnsafeMutableRawBufferPointer) {
        packet.storeBytes(of: compute(UnsafeRawBufferPointer(packet)), toByteOffset: Self.field, as: UInt32.self)
    }

    func isRight(_ packet: UnsafeRawBufferPointer) -> Bool {
        packet.loadUnaligned(fromByteOffset: Self.field, as: UInt32.self) == compute(packet)
    }
}
