import Node
import Wire

/// Where peers were that were connected when the program last ran: one multiaddr a line, with `/p2p`.
///
/// Asked at the next start when none of the addresses on the command line answers. A file that is damaged or missing
/// is as good as an empty one: nothing depends on it.
struct PeersFile: Sendable {
    private let file: SmallFile

    /// The file of these settings; nil when nothing is to be written to the disk, or nobody says where.
    init?(_ settings: Settings) {
        guard !settings.ephemeral, let directory = settings.store.directory else { return nil }
        self.init(path: directory + "/peers")
    }

    /// The file at this path.
    init(path: String) { file = SmallFile(path: path) }

    /// The addresses in it that can be read, at most ``Limits/rememberedPeers``.
    func read() -> [Multiaddr] {
        guard let bytes = try? file.read(limit: Limits.rememberedPeersFile) else { return [] }
        let addresses = String(decoding: bytes, as: UTF8.self).split(separator: "\n").lazy
            .compactMap { try? Multiaddr(String($0)) }.filter { $0.peerID != nil }
        return Array(addresses.prefix(Limits.rememberedPeers))
    }

    /// Writes down those peers that this one dialled and still has. None is no news: the file stays as it is.
    func write(_ connections: [ConnectionInfo]) throws(Failure) {
        var lines: [String] = []
        for connection in connections where connection.state == .open && connection.direction == .outbound {
            guard let peer = connection.peer, !connection.address.isCircuit,
                let address = try? (connection.address.withoutPeerID ?? connection.address).appending(peer)
            else { continue }
            if !lines.contains(address.description) { lines.append(address.description) }
        }
        guard !lines.isEmpty else { return }
        let text = lines.prefix(Limits.rememberedPeers).joined(separator: "\n") + "\n"
        try file.replace(Array(text.utf8))
    }
}
