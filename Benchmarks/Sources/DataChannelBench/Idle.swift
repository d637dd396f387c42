import WebRTC
import WebRTCRuntime

/// What an idle connection costs in memory: many pairs in this one process, the first of them apart, since it also
/// brings in what all of them share.
struct Idle {
    let configuration: WebRTCConfiguration

    func run(pairs: Int) async throws {
        var peers: [WebRTCPeer] = []
        var first = 0
        for index in 0..<pairs {
            peers += try await pair()
            if index == 0 { first = try await settled() }
        }
        let each = Double(try await settled() - first) / 2 / Double(max(1, pairs - 1))
        let details = "first_pair=\(text(Double(first) / 1024, 1)) pairs=\(pairs)"
        say("R\trss_per_connection_kB\t\(text(each, 1))\tkB\t\(details)")
        for peer in peers { await peer.close() }
    }

    private func settled() async throws -> Int {
        try await Task.sleep(for: .milliseconds(500))
        return usage().resident
    }

    private func pair() async throws -> [WebRTCPeer] {
        let (near, far) = (WebRTCPeer(configuration: configuration), WebRTCPeer(configuration: configuration))
        let answer = try await far.accept(offer: try await near.createOffer())
        try await near.accept(answer: answer)
        _ = try await near.openChannel(DataChannelOptions(label: "bench"))
        return [near, far]
    }
}
