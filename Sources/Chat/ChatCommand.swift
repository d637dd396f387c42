/// A command of the input box: what stands behind `/`.
package enum ChatCommand: String, CaseIterable, Sendable {
    case help, connect, disconnect, peers, connections, ping, nick, join, leave, clear, quit

    /// How it is typed.
    package var usage: String {
        switch self {
        case .help: "/help [command]"
        case .connect: "/connect ADDRESS|PEERID"
        case .disconnect: "/disconnect PEER"
        case .peers: "/peers"
        case .connections: "/connections"
        case .ping: "/ping PEER or ADDRESS"
        case .nick: "/nick NAME"
        case .join: "/join ROOM"
        case .leave: "/leave [ROOM]"
        case .clear: "/clear"
        case .quit: "/quit"
        }
    }

    /// What it does, in a few words.
    package var summary: String {
        switch self {
        case .help: "list the commands, or explain one"
        case .connect: "dial a peer: /ip4/192.0.2.1/tcp/9095/p2p/12D3…, or find it by its id"
        case .disconnect: "close every connection to a peer"
        case .peers: "list who is in this room"
        case .connections: "list how you are connected"
        case .ping: "measure the round trip to a peer"
        case .nick: "change what you are called on this screen"
        case .join: "enter a room, or turn to it"
        case .leave: "leave this room or another one"
        case .clear: "forget the lines of this room"
        case .quit: "leave (also Ctrl-C)"
        }
    }

    /// Commands that a later version will have.
    static let later: Set<String> = ["msg", "file", "files", "get"]

    /// Completes the start of a command: the whole line to put in place, nil when it could be several or none.
    package static func completion(of line: String) -> String? {
        guard line.hasPrefix("/"), !line.contains(" ") else { return nil }
        let found = allCases.filter { $0.rawValue.hasPrefix(line.dropFirst()) }
        guard let first = found.first else { return nil }
        if found.count == 1 { return "/\(first.rawValue) " }
        var common = first.rawValue
        for command in found { while !command.rawValue.hasPrefix(common) { common.removeLast() } }
        return "/\(common)".count > line.count ? "/\(common)" : nil
    }
}
