import Chat
import Screen
import Testing
import Wire

@Suite("The screen")
struct ScreenTests {
    static func id(_ seed: UInt8) throws -> PeerID {
        try PeerID(bytes: [0x00, 0x24, 0x08, 0x01, 0x12, 0x20] + [UInt8](repeating: seed, count: 32))
    }

    static func screen(_ texts: [String]) throws -> ChatScreen {
        var screen = ChatScreen(ChatState(me: try id(1), nick: "me", rooms: ["room", "other"]))
        _ = screen.apply([.ready(addresses: ["/ip4/127.0.0.1/tcp/9095/p2p/x"])])
        _ = screen.apply(try (2..<6).map { .peerJoined(try id($0), room: "room", time: 0) })
        for (number, text) in texts.enumerated() {
            let message = ChatMessage(
                room: "room", from: try id(2), data: Array(text.utf8), sequenceNumber: UInt64(number), time: 0)
            _ = screen.apply([.message(message)])
        }
        return screen
    }

    @Test("Every size from 1 × 1 to 200 × 60 is drawn whole, hostile text stays in its cells")
    func sizes() throws {
        let nasty = [
            "\u{1B}[2J\u{1B}[H", "日本語日本語日本語日本語", "👨‍👩‍👧‍👦🇩🇪❤️👍🏽", "e" + String(repeating: "\u{301}", count: 50),
            "\u{202E}abc", String(repeating: "x", count: 300), "مرحبا", "", " ", "각",
        ]
        var screen = try Self.screen(nasty)
        for width in stride(from: 1, through: 200, by: 7) {
            for height in stride(from: 1, through: 60, by: 3) {
                let frame = screen.frame(Size(width: width, height: height), time: 0, utcOffset: 0)
                for y in 0..<height {
                    let cells = frame.row(y)
                    #expect(cells.reduce(0) { $0 + Int($1.width) } == width)
                    #expect(!cells.contains { $0.text.unicodeScalars.contains { $0.value < 32 || $0.value == 0x202E } })
                }
            }
        }
    }

    @Test("An empty screen teaches, a small one says so")
    func first() throws {
        var screen = try Self.screen([])
        let text = screen.frame(Size(width: 80, height: 24), time: 0, utcOffset: 0).lines.joined(separator: "\n")
        #expect(text.contains("/connect"))
        #expect(text.contains("/help"))
        let small = screen.frame(Size(width: 30, height: 5), time: 0, utcOffset: 0)
        #expect(small.lines[0] == "terminal too small:")
    }

    @Test("An empty screen promises neighbours only where they are looked for", arguments: [true, false])
    func alone(looksAround: Bool) throws {
        var screen = ChatScreen(
            ChatState(me: try Self.id(1), nick: "me", rooms: ["room"], looksAround: looksAround))
        let text = screen.frame(Size(width: 80, height: 24), time: 0, utcOffset: 0).lines.joined(separator: "\n")
        #expect(text.contains("mDNS") == looksAround)
        #expect(text.contains("/connect"))
    }

    @Test("A message is shown with time, end of the id, and wrapped with an indent")
    func message() throws {
        var screen = try Self.screen(["hello " + String(repeating: "word ", count: 20)])
        let lines = screen.frame(Size(width: 40, height: 10), time: 0, utcOffset: 3600).lines
        #expect(lines[1].hasPrefix("01:00 \(try Self.id(2).suffix()) hello"))
        #expect(lines[2].hasPrefix(String(repeating: " ", count: 12) + "word"))
    }

    @Test("Scrolling up shows the first line, End shows the last")
    func scrolling() throws {
        let size = Size(width: 40, height: 10)
        var screen = try Self.screen((0..<100).map { "line \($0)." })
        #expect(screen.frame(size, time: 0, utcOffset: 0).lines.contains { $0.hasSuffix("line 99.") })
        for _ in 0..<50 { _ = screen.handle(.pageUp, size, time: 0) }
        let top = screen.frame(size, time: 0, utcOffset: 0).lines
        #expect(top[1].hasSuffix("line 0."))
        #expect(top[8].contains("more messages below"))
        for _ in 0..<50 { _ = screen.handle(.pageDown, size, time: 0) }
        #expect(screen.frame(size, time: 0, utcOffset: 0).lines[7].hasSuffix("line 99."))
    }

    @Test("Panes fold in order")
    func folding() throws {
        let large = try #require(Layout(Size(width: 100, height: 30)))
        #expect(large.log != nil && large.connections != nil && large.peers != nil)
        let middle = try #require(Layout(Size(width: 100, height: 20)))
        #expect(middle.log == nil && middle.connections != nil && middle.peers != nil)
        let low = try #require(Layout(Size(width: 100, height: 12)))
        #expect(low.connections == nil && low.peers != nil)
        let small = try #require(Layout(Size(width: 40, height: 10)))
        #expect(small.peers == nil)
        #expect(Layout(Size(width: 39, height: 10)) == nil)
    }

    @Test(
        "Widths are those of the C library",
        arguments: [
            ("abc", 3), ("日本", 4), ("e\u{301}", 1), ("🎉", 2), ("👍🏽", 2), ("❤️", 1), ("🇩🇪", 2), ("👨‍👩‍👧", 6), ("각", 2),
            ("ｱ", 1), ("Ａ", 2), ("·", 1),
        ])
    func widths(text: String, width: Int) {
        #expect(TextWidth.of(text) == width)
    }

    @Test("The input line edits by characters")
    func editing() {
        var line = InputLine()
        line.insert("one two 👨‍👩‍👧")
        line.backspace()
        #expect(line.text == "one two ")
        line.killWord()
        #expect(line.text == "one ")
        line.moveToStart()
        line.yank()
        #expect(line.text == "two one ")
        line.insert("a\nb\u{1B}")
        #expect(line.text == "two a bone ")
        #expect(line.submit() == "two a bone ")
        line.insert("draft")
        line.recall(-1)
        #expect(line.text == "two a bone ")
        line.recall(1)
        #expect(line.text == "draft")
    }

    @Test("Typed text goes out on Enter, Tab completes commands or moves the focus")
    func typing() throws {
        let size = Size(width: 100, height: 30)
        var screen = try Self.screen([])
        for letter in "/q" { _ = screen.handle(.text(String(letter)), size, time: 0) }
        _ = screen.handle(.tab, size, time: 0)
        #expect(screen.ui.input.text == "/quit ")
        #expect(screen.handle(.enter, size, time: 0) == [.quit])
        _ = screen.handle(.tab, size, time: 0)
        #expect(screen.ui.focus == .messages)
        _ = screen.handle(.text("x"), size, time: 0)
        #expect(screen.handle(.enter, size, time: 0) == [.publish(room: "room", text: "x", token: 1)])
    }
}
