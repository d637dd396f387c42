/// What one line of a bot's JSON input asks for (`cli.md`, commands).
enum BotRequest: Equatable {
    case say(String, room: String?)
    case connect(String)
    case disconnect(String)
    case ping(String)
    case join(String)
    case leave(String)
    case peers
    case connections
    case quit
    /// A command of a later version.
    case later(String)

    /// Why a line is no command, in plain words.
    struct Refused: Error, Equatable {
        let reason: String
    }

    /// Reads one line; keys that are not known are passed over.
    init(line: [UInt8]) throws(Refused) {
        let value: JSONValue
        do { value = try JSONValue(line) } catch { throw Refused(reason: error.reason) }
        guard case .object(let members) = value else { throw Refused(reason: "not a JSON object") }
        var found: [BotRequest] = []
        if let text = try members.text("say") { found.append(.say(text, room: try members.text("room"))) }
        if let address = try members.text("connect") { found.append(.connect(address)) }
        if let peer = try members.text("disconnect") { found.append(.disconnect(peer)) }
        if let target = try members.text("ping") { found.append(.ping(target)) }
        if let room = try members.text("join") { found.append(.join(room)) }
        if let room = try members.text("leave") { found.append(.leave(room)) }
        if try members.isOn("peers") { found.append(.peers) }
        if try members.isOn("connections") { found.append(.connections) }
        if try members.isOn("quit") { found.append(.quit) }
        for name in ["direct-message", "offer-file", "fetch-file"] where try members.text(name) != nil {
            found.append(.later(name))
        }
        guard let first = found.first else { throw Refused(reason: "no known command in it") }
        guard found.count == 1 else { throw Refused(reason: "more than one command in it") }
        self = first
    }
}

extension [String: JSONValue] {
    /// A string member; nil when absent or null.
    fileprivate func text(_ key: String) throws(BotRequest.Refused) -> String? {
        switch self[key] {
        case nil, .null: return nil
        case .string(let text): return text
        default: throw BotRequest.Refused(reason: "\"\(key)\" is not a string")
        }
    }

    /// Whether a member is true.
    fileprivate func isOn(_ key: String) throws(BotRequest.Refused) -> Bool {
        switch self[key] {
        case nil, .null: return false
        case .bool(let value): return value
        default: throw BotRequest.Refused(reason: "\"\(key)\" is neither true nor false")
        }
    }
}
