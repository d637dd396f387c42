import ArgumentParser
import Wire

/// `swift-peer echo`.
struct EchoCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Echo the messages of data channels over WebRTC-direct, to browsers too.",
        discussion: """
            Whoever dials the address can open data channels of any kind, reliable or not, and hears back what it \
            sends on them. With --http, a page for browsers does so and shows the times.
            """)

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Where to listen, port 0 = any free (repeatable; default: /ip4/127.0.0.1/udp/0/webrtc-direct).",
            valueName: "multiaddr"))
    var listen: [String] = []
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Serve the page for browsers here, port 0 = any free.", valueName: "host:port"))
    var http: String?
    @OptionGroup var store: StoreOptions
    @Flag(help: "A new identity, nothing written to disk: the address is another one each time.")
    var ephemeral = false
    @Flag(help: "One JSON object a line.")
    var json = false

    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus {
        let given = try environment.list("--listen", listen, limit: Limits.echoListeners)
        var addresses = try given.addresses()
        for (address, given) in zip(addresses, given) {
            guard case .webRTCDirect(_, _, let certhashes) = address.dialTarget else {
                throw given.refused("echo listens on webrtc-direct only: /ip4/…/udp/…/webrtc-direct")
            }
            guard certhashes.isEmpty else {
                throw given.refused("the certhash is the listener's own and follows from its identity")
            }
        }
        if addresses.isEmpty { addresses = [try Multiaddr.echoDefault()] }
        let http = try environment.value("--http", http)?.hostAndPort()
        let json = try environment.isOn("--json", json)
        let isEphemeral = try environment.isOn("--ephemeral", ephemeral)
        let settings = try StoreSettings(store, environment: environment)
        try Signals.install()
        // The identity only makes the certificate; a chat with the same one may run beside it.
        let identity = isEphemeral ? IdentityFile.ephemeral() : try IdentityFile.load(IdentityFile.path(settings))
        if let notice = identity.notice { StandardError.write(notice) }
        return try EchoRun(listen: addresses, http: http, json: json).run(identity.keyPair)
    }
}

extension Multiaddr {
    /// A free port of this machine, for this machine.
    fileprivate static func echoDefault() throws(Failure) -> Multiaddr {
        try Environment.Given(name: "--listen", value: "/ip4/127.0.0.1/udp/0/webrtc-direct").address()
    }
}
