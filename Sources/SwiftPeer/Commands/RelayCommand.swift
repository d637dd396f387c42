import ArgumentParser

/// `swift-peer relay`: no screen, no input; a bot that listens to signals only, and serves as a relay.
struct RelayCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "relay", abstract: "No screen, no input: a public bootstrapper and circuit relay.")

    @OptionGroup var shared: SharedOptions
    @Flag(help: "One JSON object a line.")
    var json = false
    @Flag(help: "Serve /perf/1.0.0.")
    var perf = false

    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus {
        var bot = BotOptions.defaults
        (bot.json, bot.perf) = (json, perf)
        let settings = try Settings(mode: .relay, shared, bot, environment: environment)
        try Signals.install()
        FileLimit.raise()
        let identity = settings.ephemeral ? .ephemeral() : try IdentityFile.open(settings.store)
        for notice in settings.notices + [identity.notice].compactMap({ $0 }) { StandardError.write(notice) }
        var loop = try BotLoop(settings, identity: identity, logger: LineLog.logger(settings))
        return try loop.run()
    }
}
