import Wire

struct PingTool {
    let address: Multiaddr, count: Int
    func run() throws(Failure) -> ExitStatus { throw Failure(.unavailable, "no") }
}
struct IdentifyTool {
    let address: Multiaddr, json: Bool
    func run() throws(Failure) -> ExitStatus { throw Failure(.unavailable, "no") }
}
struct PerfTool {
    let address: Multiaddr, upload: UInt64, download: UInt64, json: Bool
    func run() throws(Failure) -> ExitStatus { throw Failure(.unavailable, "no") }
}
