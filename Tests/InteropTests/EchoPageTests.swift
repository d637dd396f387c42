import Foundation
import Testing

extension Interop {
    /// `swift-peer echo`, and its page in a real browser.
    @Suite struct EchoPageTests {
        /// What Chromium is about to make its default: nobody sets their own credentials.
        static let unmangled = "--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/"

        @Test(
            "In Chromium all four kinds of message come back, and what is too large is refused by name",
            .timeLimit(.minutes(2)),
            arguments: [("auto", nil, 1), ("2", nil, 2), ("auto", unmangled, 2)] as [(String, String?, Int)])
        func page(_ wanted: String, _ flag: String?, _ version: Int) async throws {
            try await Stage.play { stage in
                let echo = try stage.start(
                    "echo", try Installed.program(), ["echo", "--ephemeral", "--json", "--http", "127.0.0.1:0"])
                let ready = try await echo.event("ready")
                let address = try #require(ready.texts("addresses").first)
                #expect(address.split(separator: "/certhash/").count == 2, "\(address)")
                let browser = try stage.start(
                    "chromium", try Installed.python(),
                    [
                        Installed.script("echo_page.py"), "--browser", try Installed.tool("chromium"),
                        "--page", try #require(ready.text("page")), "--version", wanted,
                    ] + (flag.map { ["--flag=" + $0] } ?? []))
                let done = try await browser.event("done", within: .seconds(90))
                #expect(done["ok"] == .bool(true), "\(done)")
                #expect(done.text("version") == "\(version)", "\(done)")
                for mode in ["reliable", "unordered", "once", "partial"] {
                    let seen = try #require(done["modes"]?[mode])
                    // Loopback loses nothing that anybody sends at this pace.
                    #expect(seen.number("back") == 20 && seen.number("lost") == 0, "\(mode): \(seen)")
                    #expect(seen.number("refused") == (mode == "once" ? 3 : 0), "\(mode): \(seen)")
                }
                #expect(done.texts("log").contains { $0.contains("too-large-for-datagram: 4000 bytes") }, "\(done)")
                try await echo.event("connected", ["detail": "v\(version)"])
                try await echo.event("opened", ["label": "echo/partial"])

                echo.signalled(SIGINT)
                #expect(try await echo.ended(within: .seconds(5)) == 0)
            }
        }

        @Test("The address stays the same from start to start, because the identity does")
        func address() async throws {
            try await Stage.play { stage in
                let file = stage.folder.appending(path: "identity.key").path
                var hashes: Set<String> = []
                for _ in 0..<2 {
                    let echo = try stage.start(
                        "echo", try Installed.program(), ["echo", "--json", "--identity", file])
                    let address = try #require(try await echo.event("ready").texts("addresses").first)
                    hashes.insert(String(address[try #require(address.range(of: "/certhash/")).lowerBound...]))
                    echo.signalled(SIGTERM)
                    #expect(try await echo.ended(within: .seconds(5)) == 0)
                }
                #expect(hashes.count == 1)
            }
        }
    }
}
