import Wire

/// Ordinary packets at the front of a batch: right in every respect, with nothing but data and acknowledgements, so that
/// usrsctp may have them all before anybody looks at what became of them.
struct SCTPPacketRun {
    private(set) var count = 0
    /// Which is the last with data.
    private(set) var lastData: Int?

    /// Takes them from `packets`; nil when the first is of another kind.
    init?(of packets: inout PacketIterator, _ checksum: SCTPChecksum) {
        var next = packets
        while let packet = next.next(), let check = SCTPPacketCheck(packet, outboundStreams: 0), check.isOrdinary,
            checksum.isRight(packet)
        {
            if check.hasData { lastData = count }
            count += 1
            packets = next
        }
        if count == 0 { return nil }
    }
}
