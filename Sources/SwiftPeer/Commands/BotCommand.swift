import ArgumentParser

/// `swift-peer bot`.
struct BotCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "bot", abstract: "No screen: lines in on stdin, events out on stdout.")

    @OptionGroup var shared: SharedOptions
    @OptionGroup var bot: BotOptions

    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus {
        try Self.execute(shared, bot, environment)
    }

    /// What `bot` and `--headless` do.
    static func execute(
        _ shared: SharedOptions, _ bot: BotOptions, _ environment: Environment
    ) throws(Failure) -> ProcessStatus {
        let settings = try Settings(mode: .bot, shared, bot, environment: environment)
        try Signals.install()
        let identity = settings.ephemeral ? .ephemeral() : try IdentityFile.open(settings.store)
        for notice in settings.notices + [identity.notice].compactMap({ $0 }) { StandardError.write(notice) }
        var loop = try BotLoop(settings, identity: identity, logger: LineLog.logger(settings))
        return try loop.run()
    }
}
