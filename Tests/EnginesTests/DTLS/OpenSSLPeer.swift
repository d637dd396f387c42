import Foundation
import Glibc
import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

/// One association of ours on a UDP socket of the loopback interface, against `openssl s_client` or `s_server`.
final class OpenSSLPeer {
    let engine: OpenSSLDTLS
    private(set) var events: [DTLSEvent] = []
    private(set) var received = ""
    private(set) var longestSent = 0
    private let socket: Int32
    private var remote = sockaddr_in()
    private let process = Process()
    private let input = Pipe()
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)

    /// - Parameters:
    ///   - role: ours.
    ///   - arguments: for the program, beyond the address and, unless `keyType` is nil, its certificate.
    ///   - options: a line of its configuration, for what it has no argument for.
    init(
        _ role: DTLSRole, cookie: [UInt8]? = nil, keyType: [String]? = OpenSSLPeer.ellipticKey,
        _ arguments: [String] = [], options: String? = nil
    ) throws {
        engine = OpenSSLDTLS(role, context: DTLSPair.clientContext, cookie: cookie)
        socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        try #require(socket >= 0)
        let port = try Self.bind(socket)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var all = ["-dtls1_2", "-use_srtp", "SRTP_AES128_CM_SHA1_80"] + arguments
        if let keyType {
            let (key, certificate) = (folder.path + "/key.pem", folder.path + "/certificate.pem")
            _ = try OpenSSLProgram.run(
                ["req", "-x509", "-nodes", "-subj", "/CN=x", "-keyout", key, "-out", certificate] + keyType)
            all += ["-key", key, "-cert", certificate]
        }
        switch role {
        case .server: all = ["s_client", "-connect", "127.0.0.1:\(port)"] + all
        case .client:
            // A port nobody has: bound once, to learn its number.
            let other = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            let theirs = try Self.bind(other)
            Glibc.close(other)
            remote = Self.address(theirs)
            all = ["s_server", "-accept", "127.0.0.1:\(theirs)", "-Verify", "1"] + all
        }
        if let options {
            let file = folder.appendingPathComponent("openssl.cnf")
            let lines = ["openssl_conf = a", "[a]", "ssl_conf = b", "[b]", "system_default = c", "[c]", options]
            try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
            process.environment = ProcessInfo.processInfo.environment.merging(["OPENSSL_CONF": file.path]) { $1 }
        }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + all
        process.standardInput = input
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try process.run()
        engine.start(now: .now())
    }

    static let ellipticKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    static let rsaKey = ["-newkey", "rsa:2048"]

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        Glibc.close(socket)
        try? FileManager.default.removeItem(at: folder)
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func bind(_ socket: Int32) throws -> UInt16 {
        var address = address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            guard let pointer, Glibc.bind(socket, pointer, length) == 0 else { return false }
            return getsockname(socket, pointer, &length) == 0
        }
        try #require(bound)
        return UInt16(bigEndian: address.sin_port)
    }

    /// Types a line into the program.
    func type(_ line: String) throws { try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8)) }

    func endInput() throws { try input.fileHandleForWriting.close() }

    /// Carries datagrams until `isDone`, at most 10 s.
    func run(until isDone: (OpenSSLPeer) -> Bool) throws {
        let end = NIODeadline.now() + .seconds(10)
        while !isDone(self), NIODeadline.now() < end {
            send()
            drain()
            if isDone(self) { break }
            let wait = min(engine.deadline, NIODeadline.now() + .milliseconds(100)) - .now()
            var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            _ = poll(&entry, 1, Int32(max(0, wait.nanoseconds / 1_000_000)))
            receive()
            if engine.deadline <= .now() { engine.timedOut(now: .now()) }
        }
        send()
        #expect(isDone(self), "got no further than \(events), \(received)")
    }

    private func drain() {
        var packet = ByteBuffer()
        while engine.readPacket(into: &packet) { received += String(buffer: packet) }
        while let event = engine.poll() { events.append(event) }
    }

    private func receive() {
        var bytes = [UInt8](repeating: 0, count: 20_000)
        while true {
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutableBytes(of: &remote) { address in
                recvfrom(
                    socket, &bytes, bytes.count, Int32(MSG_DONTWAIT),
                    address.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
            }
            // A server that does not listen yet is heard of as an error; the next flight may find it.
            guard count > 0 else { break }
            engine.received(ByteBuffer(bytes: bytes[..<count]), now: .now())
            drain()
        }
    }

    private func send() {
        while var train = engine.nextDatagrams() {
            while let datagram = train.popFirst() {
                longestSent = max(longestSent, datagram.readableBytes)
                let bytes = Array(datagram.readableBytesView)
                _ = withUnsafeBytes(of: &remote) { address in
                    sendto(
                        socket, bytes, bytes.count, 0, address.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                        socklen_t(address.count))
                }
            }
        }
    }

    var isConnected: Bool {
        guard case .connected? = events.first else { return false }
        return true
    }
}
