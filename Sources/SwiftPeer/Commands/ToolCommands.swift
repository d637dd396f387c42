import ArgumentParser
import Wire

/// `swift-peer ping ADDRESS`.
struct PingCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Dial a peer and measure round trips.")

    @Argument(help: "A multiaddr, with /p2p/… at its end or without.")
    var address: String
    @OptionGroup var dial: DialOptions
    @Option(parsing: .unconditional, help: ArgumentHelp("How many round trips (default: 5).", valueName: "n"))
    var count: String?

    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus {
        let address = try Environment.Given(name: "ADDRESS", value: address).address()
        let count = try environment.value("--count", count)?.number(in: 1...UInt64(Limits.pingCount)) ?? 5
        return try PingTool(address: address, count: Int(count)).run(dial.dialling(environment))
    }
}

/// `swift-peer identify ADDRESS`.
struct IdentifyCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "identify", abstract: "Dial a peer and print who it says it is.")

    @Argument(help: "A multiaddr, with /p2p/… at its end or without.")
    var address: String
    @OptionGroup var dial: DialOptions
    @Flag(help: "One JSON object.")
    var json = false

    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus {
        let address = try Environment.Given(name: "ADDRESS", value: address).address()
        return try IdentifyTool(address: address, json: environment.isOn("--json", json)).run(
            dial.dialling(environment))
    }
}

/// `swift-peer perf ADDRESS`.
struct PerfCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "perf", abstract: "Measure throughput against a peer that serves /perf/1.0.0.")

    @Argument(help: "A multiaddr, with /p2p/… at its end or without.")
    var address: String
    @OptionGroup var dial: DialOptions
    @Option(parsing: .unconditional, help: ArgumentHelp("Bytes to send.", valueName: "bytes"))
    var upload: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Bytes to ask for.", valueName: "bytes"))
    var download: String?
    @Flag(help: "One JSON object.")
    var json = false

    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus {
        let address = try Environment.Given(name: "ADDRESS", value: address).address()
        let upload = try environment.value("--upload", upload)?.number(in: 0...UInt64(Int64.max))
        let download = try environment.value("--download", download)?.number(in: 0...UInt64(Int64.max))
        guard upload != nil || download != nil else {
            throw Failure(.usage, "--upload, --download: how many bytes? Give at least one of them")
        }
        return try PerfTool(
            address: address, upload: upload ?? 0, download: download ?? 0, json: environment.isOn("--json", json)
        ).run(dial.dialling(environment))
    }
}
