import ArgumentParser

/// `swift-peer chat`, and `swift-peer` alone.
struct ChatSubcommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Open the terminal chat (default).")

    @OptionGroup var shared: SharedOptions
    @OptionGroup(title: "With --headless") var bot: BotOptions
    @Flag(help: "The same as the command bot.")
    var headless = false

    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus {
        if try environment.isOn("--headless", headless) {
            return try BotCommand.execute(shared, bot, environment)
        }
        for (flag, isOn) in [("--json", bot.json), ("--exit-on-eof", bot.exitOnEof), ("--perf", bot.perf)] where isOn {
            throw Failure(.usage, "\(flag): belongs to the command bot, or needs --headless")
        }
        let settings = try Settings(mode: .chat, shared, environment: environment)
        try Signals.install()
        let identity = settings.ephemeral ? .ephemeral() : try IdentityFile.open(settings.store)
        let logger = settings.logFile == nil ? nil : try LineLog.logger(settings)
        return try ChatLoop(settings, identity: identity, logger: logger).run()
    }
}
