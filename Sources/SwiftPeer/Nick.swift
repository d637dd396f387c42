import Glibc
import Wire

/// What a user is called who did not say.
enum Nick {
    /// `$USER-` and the last 8 letters of the peer id.
    static func standard(for peer: PeerID) -> String {
        let user = getenv("USER").map { String(cString: $0) } ?? ""
        let name = (try? Environment.Given(name: "USER", value: user).nick()) ?? "peer"
        return "\(name)-\(peer.suffix())"
    }
}
