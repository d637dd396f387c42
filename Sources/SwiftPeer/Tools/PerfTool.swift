import NIOCore
import Node
import Runtime
import Wire

/// `swift-peer perf`: throughput by `/perf/1.0.0`.
struct PerfTool {
    let address: Multiaddr
    let upload: UInt64
    let download: UInt64
    let json: Bool

    func run(_ dialling: Dialling = Dialling()) throws(Failure) -> ProcessStatus {
        let (upload, download, json) = (upload, download, json)
        return try ToolRun.run(address, dialling) { peer, id throws(PeerError) in
            let result = try await peer.perf(id, upload: upload, download: download)
            print(json ? Self.json(id, result) : Self.text(result))
            return .success
        }
    }

    /// One object in one line; times in seconds.
    static func json(_ peer: PeerID, _ result: PerfResult) -> String {
        var object = JSONObject()
        object.add("peer", peer.description)
        object.add("uploadBytes", result.uploaded)
        object.add("uploadSeconds", seconds(result.upload), decimals: 6)
        object.add("downloadBytes", result.downloaded)
        object.add("downloadSeconds", seconds(result.download), decimals: 6)
        object.add("seconds", seconds(result.total), decimals: 6)
        return object.line
    }

    /// A line a direction and the whole.
    static func text(_ result: PerfResult) -> String {
        """
        upload: \(rate(result.uploaded, result.upload))
        download: \(rate(result.downloaded, result.download))
        total: \(JSONObject.number(seconds(result.total), decimals: 6)) s
        """
    }

    private static func rate(_ bytes: UInt64, _ time: TimeAmount) -> String {
        let base = "\(bytes) bytes in \(JSONObject.number(seconds(time), decimals: 6)) s"
        guard bytes > 0, time.nanoseconds > 0 else { return base }
        return base + ", \(JSONObject.number(Double(bytes) / seconds(time) / 1e6)) MB/s"
    }

    private static func seconds(_ time: TimeAmount) -> Double { Double(time.nanoseconds) / 1e9 }
}
