import ArgumentParser

/// `swift-peer relay`: a later version's public bootstrapper. Its flags are judged already.
struct RelayCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "relay", abstract: "No screen, no input: a public bootstrapper and circuit relay.")

    @OptionGroup var shared: SharedOptions
    @Flag(help: "One JSON object a line.")
    var json = false
    @Flag(help: "Serve /perf/1.0.0.")
    var perf = false

    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus {
        var shared = shared
        // Serving as a relay is what this command is for; the answer below covers it.
        if !shared.noRelayServer { shared.relayServer = false }
        _ = try Settings(mode: .relay, shared, environment: environment)
        throw Failure(.unavailable, "relay is not available in this version")
    }
}
