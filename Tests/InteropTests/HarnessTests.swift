import Foundation
import Testing

extension Interop {
    /// The stage itself, without our program: when these fail, the others say nothing about us.
    @Suite struct HarnessTests {
        @Test("Other people's peers talk to each other here")
        func others() async throws {
            try await Stage.play { stage in
                let python = try await Participant.start(.python, on: stage)
                let go = try await Participant.start(.go, on: stage)
                try await python.connect(to: go)
                try await waitForMesh([python, go])
                try go.say("hello")
                try await python.hears("hello", from: go)
                #expect(try await python.ping(go) >= 0)
                #expect(try await go.ping(python) >= 0)
            }
        }

        @Test("A failure carries the last words of everyone")
        func lastWords() async throws {
            let failure = await #expect(throws: Failure.self) {
                try await Stage.play { stage in
                    let shell = try Installed.tool("sh")
                    let child = try stage.start(
                        "shell", shell, ["-c", "echo spoken; echo complained >&2; exit 3"])
                    try await child.event("never", within: .seconds(5))
                }
            }
            let text = try #require(failure).description
            for part in ["shell (ended with 3)", "spoken", "! complained"] {
                #expect(text.contains(part), "\(text)")
            }
        }

        @Test("A scenario leaves no process behind")
        func cleanUp() async throws {
            var started: Child?
            try await Stage.play { stage in
                started = try stage.start("sleeper", try Installed.tool("sleep"), ["60"])
                #expect(started?.isRunning == true)
            }
            #expect(started?.isRunning == false)
        }
    }
}
