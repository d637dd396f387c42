import ArgumentParser
import Node
import Runtime
import Wire

/// The flags of `chat`, `bot` and `relay` as they were typed; ``Settings`` gives them meaning.
///
/// Everything is text here: a value is judged in one place, wherever it came from.
struct SharedOptions: ParsableArguments {
    @Option(
        name: [.customLong("connect"), .customLong("bootstrap")], parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Dial at start, and again with backoff when lost (repeatable).", valueName: "multiaddr"))
    var connect: [String] = []

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Where to listen, port 0 = any free (repeatable; default: all transports on --port).",
            valueName: "multiaddr"))
    var listen: [String] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Port of the default listen addresses (default: 9095; a free one when taken).", valueName: "n"))
    var port: String?

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Announce this address too (repeatable).", valueName: "multiaddr"))
    var externalAddress: [String] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Shown to others who understand it (default: $USER- and the last 8 of the peer id).", valueName: "name"))
    var nick: String?

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A room to join (repeatable; default: universal-connectivity).", valueName: "topic"))
    var room: [String] = []

    @OptionGroup var dial: DialOptions

    @OptionGroup var tls: TLSOptions

    @OptionGroup var store: StoreOptions

    @Flag(help: "A new identity, nothing written to disk.")
    var ephemeral = false

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A STUN server, stun:host:port (repeatable).", valueName: "url"))
    var stun: [String] = []

    @Flag(help: "Ask no STUN server.")
    var noStun = false

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "A TURN server, turn:user:password@host:port, or with ?transport=tcp behind it (repeatable).",
            valueName: "url"))
    var turn: [String] = []

    @OptionGroup var relay: RelayOptions

    @Flag(help: "Do not look for peers on the local network.")
    var noMdns = false

    @Flag(help: "Do not publish own addresses on the discovery topic, nor dial who does.")
    var noDiscovery = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "trace, debug, info, notice, warning, error or critical (default: info).", valueName: "level"))
    var logLevel: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Log to this file (default: stderr; chat logs to its system pane).", valueName: "file"))
    var logFile: String?
}

/// How to dial.
struct DialOptions: ParsableArguments {
    @Option(
        name: .customLong("webrtc-direct-version"), parsing: .unconditional,
        help: ArgumentHelp(
            "How to dial webrtc-direct: 1, 2, or auto, which tries 1 and then 2 (default: auto).", valueName: "version"
        ))
    var webRTCDirectVersion: String?

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Believe certificates of these authorities too when dialling …/tls/ws, PEM (repeatable).",
            valueName: "file"))
    var tlsTrust: [String] = []

    /// What a tool needs to dial.
    func dialling(_ environment: Environment) throws(Failure) -> Dialling {
        let trusted = try trusted(environment)
        return Dialling(
            version: try version(environment), security: try TLSOptions.believing(trusted))
    }

    /// The files of authorities.
    func trusted(_ environment: Environment) throws(Failure) -> [Environment.Given] {
        let given = try environment.list("--tls-trust", tlsTrust, limit: Limits.addressesPerFlag)
        for one in given { _ = try one.path() }
        return given
    }

    /// What the flag or its variable says.
    func version(_ environment: Environment) throws(Failure) -> WebRTCDirectVersion {
        try environment.value("--webrtc-direct-version", webRTCDirectVersion)?.webRTCDirectVersion() ?? .automatic
    }
}

/// How a tool dials, every value judged.
struct Dialling: Sendable {
    /// How webrtc-direct addresses are dialled.
    var version = WebRTCDirectVersion.automatic
    /// Who is believed over TLS.
    var security = TransportSecurity.system
}

/// Where the identity lives.
struct StoreOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Private key, libp2p protobuf (default: identity.key in the data directory).", valueName: "file"))
    var identity: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Identity, history, received files (default: $XDG_DATA_HOME/swift-peer or ~/.local/share/swift-peer).",
            valueName: "dir"))
    var dataDir: String?
}

/// The flags that only a program without a screen has.
struct BotOptions: ParsableArguments {
    @Flag(help: "One JSON object a line, in and out.")
    var json = false

    @Flag(help: "Publish all of stdin, wait until the mesh has taken it, leave.")
    var exitOnEof = false

    @Flag(help: "Serve /perf/1.0.0.")
    var perf = false
}
