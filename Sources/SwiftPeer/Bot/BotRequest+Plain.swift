/// The lines that people type: text is published, `/command` is a command, `//text` publishes `/text`.
extension BotRequest {
    /// What `/help` answers.
    static let helpLines = [
        "/connect ADDRESS", "/disconnect PEER", "/peers", "/connections", "/ping PEER or ADDRESS", "/nick NAME",
        "/join ROOM", "/leave [ROOM]", "/clear", "/help", "/quit",
    ]

    /// Reads one line of the input box.
    init(plain line: String) throws(Refused) {
        guard line.hasPrefix("/"), !line.hasPrefix("//") else {
            self = .say(line.hasPrefix("//") ? String(line.dropFirst()) : line, room: nil)
            return
        }
        let words = line.dropFirst().split(maxSplits: 1) { $0.isWhitespace }
        let name = words.first.map { $0.lowercased() } ?? ""
        let rest = words.count > 1 ? words[1].trimmingSpaces : ""
        func argument(_ what: String) throws(Refused) -> String {
            guard !rest.isEmpty else { throw Refused(reason: "/\(name) needs \(what)") }
            return rest
        }
        switch name {
        case "connect": self = .connect(try argument("an address"))
        case "disconnect": self = .disconnect(try argument("a peer id"))
        case "ping": self = .ping(try argument("a peer id or an address"))
        case "join": self = .join(try argument("a room"))
        case "leave": self = .leave(rest)
        case "nick": self = .nick(try argument("a name"))
        case "peers": self = .peers
        case "connections": self = .connections
        case "help": self = .help
        case "clear": self = .nothing
        case "quit", "exit": self = .quit
        default: throw Refused(reason: "no such command: /help lists them")
        }
    }
}
