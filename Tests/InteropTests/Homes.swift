import Foundation
import Testing

/// Homes behind routers that translate addresses, and a place outside that everybody can reach.
struct Homes: Sendable {
    /// How a router translates.
    enum Router: String, Sendable {
        /// The same port toward everybody; only who was written to may answer.
        case portRestricted = "port-restricted"
        /// Another port toward everybody else.
        case symmetric
    }

    /// The address outside.
    static let server = "10.9.0.1"
    private static let serverPort = 3478

    private let stage: Stage
    private let entering: [String]
    private let homes: [Int32]
    private let outside: Int32

    /// One home behind each of these. Where the machine does not let us make networks the test fails.
    static func start(on stage: Stage, _ routers: [Router]) async throws -> Homes {
        let script = ["sh", Installed.script("homes.sh")] + routers.map(\.rawValue)
        for (flags, entering) in [
            (["--net"], ["--net"]),
            (["--net", "--map-root-user"], ["--user", "--preserve-credentials", "--net"]),
        ] {
            let probe = try Child("unshare", try Installed.tool("unshare"), flags + ["true"])
            guard try await probe.ended(within: .seconds(10)) == 0 else { continue }
            let child = try stage.start("homes", try Installed.tool("unshare"), flags + script)
            let event = try await child.event("homes", within: .seconds(10))
            let homes = routers.indices.compactMap { event.number(String($0)).map { Int32($0) } }
            try #require(homes.count == routers.count)
            return Homes(stage: stage, entering: entering, homes: homes, outside: child.pid)
        }
        throw Refused()
    }

    /// Starts a program in the home with this number, or outside of all.
    func start(_ name: String, _ program: String, _ arguments: [String], home: Int? = nil) throws -> Child {
        let process = home.map { homes[$0] } ?? outside
        let words = entering + ["--target", String(process), program] + arguments
        return try stage.start(name, try Installed.tool("nsenter"), words)
    }

    /// coturn, outside: user lab, password lab.
    func startTurn() async throws {
        let file = { (name: String) in stage.folder.appending(path: name).path }
        let child = try start(
            "coturn", try Installed.tool("turnserver"),
            [
                "-n", "--verbose", "--no-tls", "--no-dtls", "--no-cli", "--listening-ip=" + Self.server,
                "--relay-ip=" + Self.server, "--listening-port=\(Self.serverPort)", "--lt-cred-mech",
                "--user=lab:lab", "--realm=lab", "--log-file=stdout", "--simple-log",
                "--db=" + file("coturn.db"), "--pidfile=" + file("coturn.pid"),
            ])
        try await until("coturn listens", within: .seconds(20)) {
            if !child.isRunning { throw Failure("coturn ended: \(child.text)\(child.errors)") }
            return child.text.contains("UDP listener opened on")
        }
    }

    static let stun = "stun:\(server):\(serverPort)"
    static let turn = "turn:lab:lab@\(server):\(serverPort)"
}
