import ArgumentParser
import Logging
import Node
import Runtime
import Wire

/// What the program shall do, every value judged: the command line over the environment over the defaults.
struct Settings: Sendable {
    /// Which face it wears.
    enum Mode: Sendable { case chat, bot, relay }

    /// Which face it wears.
    var mode: Mode
    /// Dialled at start and again when lost.
    var connect: [Multiaddr]
    /// Given by the user; nil for all transports on ``port``.
    var listen: [Multiaddr]?
    /// Port of the default listen addresses; 0 for any.
    var port: UInt16
    /// Certificates, for WebSocket over TLS.
    var security: TransportSecurity
    /// How webrtc-direct addresses are dialled.
    var webRTCDirectVersion: WebRTCDirectVersion
    /// Servers of STUN; none when nobody is to be asked.
    var stun: [ServerAddress]
    /// Servers of TURN.
    var turn: [TURNAccount]
    /// Announced beside the ones found.
    var externalAddresses: [Multiaddr]
    /// Chosen by the user; nil for one made from `$USER` and the peer id.
    var nick: String?
    /// Joined at start, in this order, without repetitions.
    var rooms: [String]
    /// Where files live.
    var store: StoreSettings
    /// A new identity and nothing on disk.
    var ephemeral: Bool
    /// What it gives away as a relay; nil when it is none.
    var relay: RelayConfiguration?
    /// Ask connected relays for reservations when nobody can dial this peer.
    var autoRelay: Bool
    /// Look for peers on the local network.
    var mdns: Bool
    /// Publish own addresses on the discovery topic, and dial those who do.
    var discovery: Bool
    /// From where on events are logged.
    var logLevel: Logger.Level
    /// Where they are logged; nil for stderr or the system pane.
    var logFile: String?
    /// One JSON object a line.
    var json: Bool
    /// Leave when stdin ends and all of it is out.
    var exitOnEOF: Bool
    /// Serve `/perf/1.0.0`.
    var perf: Bool
    /// What was asked for and is not there, one sentence each; harmless enough to go on.
    var notices: [String] = []

    /// The topic of js-libp2p's peer discovery in universal-connectivity.
    private static let discoveryRoom = "universal-connectivity-browser-peer-discovery"

    /// Judges flags and variables; the first bad value is thrown.
    init(
        mode: Mode, _ shared: SharedOptions, _ bot: BotOptions = BotOptions.defaults, environment: Environment
    ) throws(Failure) {
        self.mode = mode
        // An identity on the command line outdoes an SWIFT_PEER_EPHEMERAL.
        let ephemeral = try environment.isOn("--ephemeral", shared.ephemeral)
        self.ephemeral = shared.ephemeral || (ephemeral && shared.store.identity == nil)
        store = try StoreSettings(shared.store, environment: environment)
        if shared.ephemeral, let identity = shared.store.identity {
            throw .badValue("--identity", identity, "--ephemeral asks for a new identity")
        }
        let limit = Limits.addressesPerFlag
        let connect = try environment.list("--connect", alias: "--bootstrap", shared.connect, limit: limit)
        self.connect = try connect.addresses()
        let listen = try environment.list("--listen", shared.listen, limit: limit)
        self.listen = listen.isEmpty ? nil : try listen.addresses()
        externalAddresses = try environment.list("--external-address", shared.externalAddress, limit: limit)
            .addresses()
        port = try environment.value("--port", shared.port)?.port() ?? 9095
        webRTCDirectVersion = try shared.dial.version(environment)
        security = try shared.tls.security(shared.dial.trusted(environment), environment)
        nick = try environment.value("--nick", shared.nick)?.nick()
        rooms = try environment.list("--room", shared.room, limit: Limits.rooms).rooms()
        relay = try shared.relay.configuration(isRelay: mode == .relay, environment)
        let isAutoRelayOff = try environment.isOn("--no-auto-relay", shared.relay.noAutoRelay)
        autoRelay = mode != .relay && !isAutoRelayOff
        // A bootstrapper carries the messages by which browsers find each other.
        if mode == .relay, !rooms.contains(Self.discoveryRoom) { rooms.append(Self.discoveryRoom) }
        mdns = try !environment.isOn("--no-mdns", shared.noMdns)
        discovery = try !environment.isOn("--no-discovery", shared.noDiscovery)
        logLevel = try environment.value("--log-level", shared.logLevel)?.logLevel() ?? .info
        logFile = try environment.value("--log-file", shared.logFile)?.path()
        json = mode == .chat ? false : try environment.isOn("--json", bot.json)
        exitOnEOF = mode == .bot ? try environment.isOn("--exit-on-eof", bot.exitOnEof) : false
        perf = mode == .chat ? false : try environment.isOn("--perf", bot.perf)
        stun = try Self.stun(shared, environment)
        turn = try environment.list("--turn", shared.turn, limit: Limits.turnServers).turnAccounts()
        try judgeTransports(listen, connect)
        try judgeCertificate(listen)
    }

    /// The servers asked how we look from outside.
    private static func stun(_ shared: SharedOptions, _ environment: Environment) throws(Failure) -> [ServerAddress] {
        let given = try environment.list("--stun", shared.stun, limit: Limits.addressesPerFlag)
        var servers: [ServerAddress] = []
        for one in given { servers.append(try one.stunServer()) }
        let isOff = try environment.isOn("--no-stun", shared.noStun)
        if shared.noStun, let first = shared.stun.first { throw .badValue("--stun", first, "--no-stun forbids it") }
        // A list on the command line outdoes an SWIFT_PEER_NO_STUN.
        if isOff, shared.stun.isEmpty { return [] }
        return servers.isEmpty ? publicServers : servers
    }

    /// Asked unless the user says otherwise: free for everybody, and what js-libp2p asks too.
    static let publicServers = [
        ServerAddress(host: "stun.l.google.com", port: 19_302), ServerAddress(host: "stun.cloudflare.com", port: 3478),
    ]

    /// Who listens over TLS shows a certificate; a certificate nobody sees is worth a word.
    private mutating func judgeCertificate(_ listen: [Environment.Given]) throws(Failure) {
        if let notice = security.notice { notices.append(notice) }
        let secure = zip(self.listen ?? [], listen).filter { $0.0.isSecureWebSocket }
        if let (_, given) = secure.first, !security.hasCertificate {
            throw given.refused("WebSocket over TLS needs --tls-certificate and --tls-key")
        }
        if security.hasCertificate, self.listen != nil, secure.isEmpty {
            notices.append("--tls-certificate is not used: no --listen address ends in /tls/ws or /wss")
        }
    }

    /// What this version cannot listen on is refused; an address that a later one can dial is passed over.
    private mutating func judgeTransports(
        _ listen: [Environment.Given], _ connect: [Environment.Given]
    ) throws(Failure) {
        for (address, given) in zip(self.listen ?? [], listen) {
            switch address.listening {
            case .possible: break
            case .later: throw given.refused("not available in this version, which listens on \(Version.transports)")
            case .never(let reason): throw given.refused(reason)
            }
        }
        for (address, given) in zip(self.connect, connect) {
            switch address.dialling {
            case .possible: break
            case .later:
                let what = "\(given.name) \(given.value) is not available in this version"
                notices.append("\(what), which dials \(Version.transports)")
            case .never(let reason): throw given.refused(reason)
            }
        }
        self.connect.removeAll { $0.dialling != .possible }
    }
}

/// Where files live, as far as the user said.
struct StoreSettings: Sendable, Equatable {
    /// The identity file; nil for the default one.
    var identity: String?
    /// The data directory; nil when neither flag nor environment tell one.
    var directory: String?

    /// Judges the flags and finds the data directory.
    init(_ options: StoreOptions, environment: Environment) throws(Failure) {
        identity = try environment.value("--identity", options.identity)?.path()
        if let given = try environment.value("--data-dir", options.dataDir) {
            directory = try given.path()
        } else if let base = environment["XDG_DATA_HOME"], base.hasPrefix("/") {
            // The XDG base directory specification tells readers to ignore relative paths.
            directory = base + "/swift-peer"
        } else if let home = environment["HOME"] {
            directory = home + "/.local/share/swift-peer"
        }
    }
}

extension BotOptions {
    /// Nothing asked for.
    static var defaults: BotOptions { (try? BotOptions.parse([])) ?? BotOptions() }
}
