import Chat
import Wire

/// The bot's face for people: the same chat as on the screen, printed line by line.
struct PlainFace {
    private(set) var chat: ChatState
    private var printedLog = 0
    private var printed: [String: Int] = [:]

    /// A chat that has not started.
    init(me: PeerID, nick: String, rooms: [String]) { chat = ChatState(me: me, nick: nick, rooms: rooms) }

    /// Applies an action: what the chat wants done, and the lines that came of it, not printed yet.
    mutating func apply(_ action: ChatAction) -> (effects: [ChatEffect], lines: [String]) {
        let effects = reduce(into: &chat, action)
        var lines = Self.new(chat.log, &printedLog).filter { $0.level > .debug }.map { "-- \($0.text)" }
        for room in chat.rooms { lines += Self.new(room.lines, &printed[room.name, default: 0]).map(Self.text) }
        // A room that was left begins anew when it is joined again.
        printed = printed.filter { name, _ in chat.rooms.contains { $0.name == name } }
        return (effects, lines)
    }

    /// `HH:MM:SS <nick·last8> text` for what somebody said, `--` before everything else.
    private static func text(_ line: ChatLine) -> String {
        switch line.kind {
        case .message, .own:
            let name = line.name.contains("·") ? line.name : "·" + line.name
            return "\(WallClock(nanoseconds: line.time * 1_000_000).localTime) <\(name)> \(line.text)"
        case .notice, .problem: return "-- \(line.text)"
        }
    }

    private static func new<Line>(_ ring: LineRing<Line>, _ printed: inout Int) -> [Line] {
        let range = max(printed, ring.range.lowerBound)..<max(printed, ring.range.upperBound)
        printed = range.upperBound
        return range.compactMap { ring[$0] }
    }
}
