import CFuzzer
import Glibc

/// One binary for all fuzzers; the variable `FUZZ` names the one to run, the arguments are libFuzzer's. Without it the
/// names are listed.
///
/// A fuzzer takes any bytes and must return: a trap, a failed `precondition`, an endless loop or too much memory is
/// what libFuzzer reports, with the bytes that did it.
@main enum Fuzz {
    /// Takes one input.
    typealias Fuzzer = @Sendable (UnsafeBufferPointer<UInt8>) -> Void

    /// Every fuzzer by its name, which is also that of its folder in `Corpus`.
    static let all: [(name: String, run: Fuzzer)] = [
        ("stun", STUNFuzz.run), ("candidate", CandidateFuzz.run), ("framing", FramingFuzz.run),
        ("sdp", SDPFuzz.run), ("dcep", DCEPFuzz.run), ("direct", DirectFuzz.run),
        ("hello", HelloFuzz.run), ("sctp", SCTPFuzz.run),
        ("multiaddr", MultiaddrFuzz.run), ("multistream", MultistreamFuzz.run), ("noise", NoiseFuzz.run),
        ("yamux", YamuxFuzz.run), ("gossipsub", GossipSubFuzz.run), ("mdns", MDNSFuzz.run),
        ("identify", IdentifyFuzz.run), ("hop", RelayFuzz.run), ("signalling", SignallingFuzz.run),
        ("discovery", DiscoveryFuzz.run), ("kademlia", KademliaFuzz.run), ("autonat", AutoNATFuzz.run),
        ("dcutr", HolePunchFuzz.run), ("turn", TURNFuzz.run),
    ]

    /// The one to run: read once.
    static let chosen: Fuzzer? = getenv("FUZZ").flatMap { name in all.first { $0.name == String(cString: name) }?.run }

    static func main() {
        guard chosen != nil else {
            print(all.map(\.name).joined(separator: "\n"))
            exit(getenv("FUZZ") == nil ? 0 : 64)
        }
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(LLVMFuzzerRunDriver(&count, &arguments, takeOneInput))
    }
}

/// What libFuzzer calls, also by this name.
@_cdecl("LLVMFuzzerTestOneInput")
func takeOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.chosen?(UnsafeBufferPointer(start: bytes, count: count))
    return 0
}
