import Testing

@testable import SwiftPeer

@Suite struct PlainRequestTests {
    @Test(
        "The lines of the input box are understood",
        arguments: [
            ("hi", .say("hi", room: nil)), (" /x", .say(" /x", room: nil)), ("//x", .say("/x", room: nil)),
            ("/connect  /ip4/1.2.3.4/tcp/1 ", .connect("/ip4/1.2.3.4/tcp/1")), ("/DISCONNECT a", .disconnect("a")),
            ("/ping a", .ping("a")), ("/join a b", .join("a b")), ("/leave", .leave("")), ("/leave a", .leave("a")),
            ("/nick a b", .nick("a b")), ("/peers", .peers), ("/connections", .connections), ("/help", .help),
            ("/clear", .nothing), ("/quit", .quit),
        ] as [(String, BotRequest)])
    func understood(line: String, request: BotRequest) throws {
        #expect(try BotRequest(plain: line) == request)
    }

    @Test(
        "A command that is unknown or lacks its argument is refused",
        arguments: ["/", "/x", "/join", "/nick ", "/ping"])
    func refused(line: String) {
        #expect(throws: BotRequest.Refused.self) { try BotRequest(plain: line) }
    }
}
