import Chat
import Testing
import Wire

@testable import SwiftPeer

@Suite struct PlainFaceTests {
    private let me: PeerID
    private let other: PeerID

    init() throws {
        me = try KeyPair(seed: [UInt8](repeating: 6, count: 32)).peerID
        other = try KeyPair(seed: [UInt8](repeating: 7, count: 32)).peerID
    }

    @Test("Each line is printed once, whatever happens in between")
    func once() {
        var face = PlainFace(me: me, nick: "ann", rooms: ["r", "s"])
        var lines = face.apply(.submit("one", time: 0)).lines
        lines += face.apply(.submit("/clear", time: 0)).lines
        lines += face.apply(.show(1)).lines
        lines += face.apply(.submit("two", time: 0)).lines
        lines += face.apply(.sent(token: 1, peers: 1)).lines
        lines += face.apply(.message(message("three", room: "r", number: 1))).lines
        lines += face.apply(.message(message("three", room: "r", number: 1))).lines
        #expect(lines.count == 3)
        #expect(lines.first?.hasSuffix(" <ann·\(me.suffix())> one") == true)
        #expect(lines.last?.hasSuffix(" <·\(other.suffix())> three") == true)
    }

    @Test("A room that was left and joined again is printed again")
    func rejoined() {
        var face = PlainFace(me: me, nick: "ann", rooms: ["r"])
        _ = face.apply(.submit("one", time: 0))
        _ = face.apply(.left(room: "r"))
        _ = face.apply(.joined(room: "r"))
        #expect(face.apply(.message(message("two", room: "r", number: 2))).lines.count == 1)
    }

    @Test("More lines than the history holds are no trouble")
    func overflow() {
        var face = PlainFace(me: me, nick: "ann", rooms: ["r"])
        var count = 0
        for number in 0..<Limits.historyLines + 10 {
            count += face.apply(.message(message("x", room: "r", number: UInt64(number)))).lines.count
        }
        #expect(count == Limits.historyLines + 10)
    }

    private func message(_ text: String, room: String, number: UInt64) -> ChatMessage {
        ChatMessage(room: room, from: other, data: Array(text.utf8), sequenceNumber: number, time: 0)
    }
}
