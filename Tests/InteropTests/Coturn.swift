import Foundation

/// Debian's coturn on the loopback, for one scenario: user lab, password lab.
struct Coturn: Sendable {
    let child: Child
    let port: UInt16

    static func start(on stage: Stage) async throws -> Coturn {
        let port = try freePort()
        let child = try stage.start(
            "coturn", try Installed.tool("turnserver"),
            [
                "-n", "--verbose", "--no-tls", "--no-dtls", "--no-cli", "--listening-ip=127.0.0.1",
                "--relay-ip=127.0.0.1",
                "--listening-port=\(port)", "--min-port=51000", "--max-port=58999", "--lt-cred-mech",
                "--user=lab:lab", "--realm=lab", "--allow-loopback-peers", "--log-file=stdout", "--simple-log",
                "--db=\(stage.folder.appending(path: "coturn.db").path)",
                "--pidfile=\(stage.folder.appending(path: "coturn.pid").path)",
            ])
        try await until("coturn listens", within: .seconds(20)) {
            if !child.isRunning { throw Failure("coturn ended: \(child.text)\(child.errors)") }
            return isListening(port)
        }
        return Coturn(child: child, port: port)
    }

    var stunURL: String { "stun:127.0.0.1:\(port)" }

    func turnURL(_ transport: String, password: String = "lab") -> String {
        "turn:lab:\(password)@127.0.0.1:\(port)?transport=\(transport)"
    }

    /// A port nobody has at this moment.
    private static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var name = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw Failure("there is no free port: \(String(cString: strerror(errno)))") }
        return UInt16(bigEndian: name.sin_port)
    }

    private static func isListening(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var name = loopback(port)
        return withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return name
    }
}
