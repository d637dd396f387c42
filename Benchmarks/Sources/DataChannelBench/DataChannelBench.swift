import Glibc
import NIOCore
import WebRTC
import WebRTCRuntime

/// The workload `dcb1` on the library's public face: one data channel on 127.0.0.1, as the programs in
/// `Benchmarks/dcb1` measure libdatachannel and pion.
///
///     DataChannelBench --serve 0                      # prints LISTEN <port>
///     DataChannelBench --port <port> [--setups 12] [--pings 5000] [--mb16k 256] [--mb1k 64] [--msgs64 300000]
///     DataChannelBench --idle <pairs>                 # memory of idle connections, all in one process
///
/// The first two take `--no-offload`: then each datagram is a system call. Handlers run on the event loop, as the callbacks of
/// the other programs run on their library's threads.
@main
struct DataChannelBench {
    static func main() async throws {
        var options: [String: Int] = [:]
        var arguments = CommandLine.arguments.dropFirst()
        while let flag = arguments.popFirst() {
            if flag == "--no-offload" {
                options[flag] = 1
            } else {
                options[flag] = arguments.popFirst().flatMap { Int($0) }
            }
        }
        var configuration = WebRTCConfiguration()
        configuration.hostAddresses = ["127.0.0.1"]
        configuration.usesOffload = options["--no-offload"] == nil
        if let port = options["--serve"] {
            try await Server(configuration: configuration).run(port: port)
        } else if let port = options["--port"] {
            try await Client(configuration: configuration, options: options).run(port: port)
        } else if let pairs = options["--idle"] {
            try await Idle(configuration: configuration).run(pairs: pairs)
        } else {
            print("usage: DataChannelBench --serve PORT | --port PORT | --idle PAIRS [--no-offload]")
        }
        exit(0)
    }
}

/// The TCP connection on which offers and answers travel, a line each.
struct SignalLine {
    private let descriptor: CInt
    private var buffer: [UInt8] = []

    private init(_ descriptor: CInt) {
        self.descriptor = descriptor
        var on: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }

    /// Listens, says where, and takes the first that comes.
    static func accept(port: Int) -> SignalLine {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        withAddress(port) { _ = bind(listener, $0, $1) }
        listen(listener, 1)
        var name = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(listener, $0, &length) }
        }
        say("LISTEN \(UInt16(bigEndian: name.sin_port))")
        return SignalLine(Glibc.accept(listener, nil, nil))
    }

    /// Connects to the program that listens.
    static func connect(port: Int) -> SignalLine {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        withAddress(port) { _ = Glibc.connect(descriptor, $0, $1) }
        return SignalLine(descriptor)
    }

    private static func withAddress(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Void) {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = UInt16(port).bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    func send(_ word: String, _ description: String) {
        let line = Array("\(word) \(Base64.encode(description))\n".utf8)
        var sent = 0
        while sent < line.count {
            let count = line[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { exit(1) }
            sent += count
        }
    }

    /// The next line's word and decoded text; nil at the end.
    mutating func receive() -> (word: String, description: String)? {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let words = String(decoding: buffer[..<end], as: UTF8.self).split(separator: " ")
                buffer.removeSubrange(...end)
                return (String(words.first ?? ""), words.count > 1 ? Base64.decode(words[1]) : "")
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }
}
