import Glibc
import Node
import Runtime
import Wire

/// `swift-peer ping`: one line per round trip in milliseconds and a summary; status 1 when nothing answered.
struct PingTool {
    let address: Multiaddr
    let count: Int

    func run(_ dialling: Dialling = Dialling()) throws(Failure) -> ProcessStatus {
        let count = count
        return try ToolRun.run(address, dialling) { peer, id throws(PeerError) in
            var times: [Double] = []
            var sent = 0
            for number in 1...count where !Task.isCancelled {
                if number > 1 { try? await Task.sleep(for: .seconds(1)) }
                if Task.isCancelled { break }
                sent += 1
                do throws(PeerError) {
                    let time = try await peer.ping(id).milliseconds
                    times.append(time)
                    Self.show("pong from \(id): \(JSONObject.number(time)) ms")
                } catch {
                    if error.code == .cancelled { break }
                    Self.show("no pong from \(id): \(error.message.printableLine)")
                    if error.code == .notConnected || error.code == .closed { break }
                }
            }
            Self.show(Self.summary(sent: sent, times: times))
            return times.isEmpty ? .failure : .success
        }
    }

    /// The last line.
    static func summary(sent: Int, times: [Double]) -> String {
        var text = "\(sent) sent, \(times.count) answered"
        if let least = times.min(), let most = times.max() {
            let average = times.reduce(0, +) / Double(times.count)
            text +=
                "; min/avg/max " + [least, average, most].map { JSONObject.number($0) }.joined(separator: "/") + " ms"
        }
        return text
    }

    /// Prints a line that is seen at once, in a pipe too.
    private static func show(_ line: String) {
        print(line)
        fflush(nil)
    }
}
