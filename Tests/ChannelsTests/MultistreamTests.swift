import NIOCore
import Testing
import VectorFiles
import Wire

@testable import Channels

@Suite struct MultistreamTests {
    /// What a leaf did with a whole inbox: what it wrote, how it ended, what it left.
    private struct Outcome: Equatable {
        var written = ByteBuffer()
        var result: String?
        var rest = ByteBuffer()
    }

    private func initiate(
        _ protocols: [String], _ pieces: [ByteBuffer]
    ) throws(MultistreamError) -> Outcome {
        var initiator = MultistreamInitiator(protocols)
        var outcome = Outcome()
        var inbox = ByteBuffer()
        if case .write(let bytes) = initiator.opened() { outcome.written.writeImmutableBuffer(bytes) }
        for piece in pieces {
            inbox.writeImmutableBuffer(piece)
            loop: while outcome.result == nil {
                switch try initiator.received(&inbox) {
                case .none: break loop
                case .write(let bytes): outcome.written.writeImmutableBuffer(bytes)
                case .accepted(let name): outcome.result = name
                case .refused: outcome.result = "refused"
                }
            }
        }
        outcome.rest = inbox
        return outcome
    }

    private func respond(
        _ protocols: [String], _ pieces: [ByteBuffer]
    ) throws(MultistreamError) -> Outcome {
        var responder = MultistreamResponder()
        var outcome = Outcome()
        var inbox = ByteBuffer()
        for piece in pieces {
            inbox.writeImmutableBuffer(piece)
            loop: while outcome.result == nil {
                switch try responder.received(&inbox, supporting: protocols) {
                case .none: break loop
                case .write(let bytes): outcome.written.writeImmutableBuffer(bytes)
                case .accepted(let name, let bytes):
                    outcome.written.writeImmutableBuffer(bytes)
                    outcome.result = name
                }
            }
        }
        outcome.rest = inbox
        return outcome
    }

    private func tokens(_ texts: String...) -> ByteBuffer {
        var bytes = ByteBuffer()
        for text in texts { bytes.writeToken(text) }
        return bytes
    }

    @Test func bothSidesReplayTheVectors() throws {
        var dialogues = 0
        for vector in try Vectors.load("multistream") {
            guard let wants = vector.input["initiator_wants"] as? [String] else { continue }
            dialogues += 1
            let supports = try #require(vector.input["responder_supports"] as? [String])
            let forth = try hex(vector.output["initiator_stream_hex"])
            let back = try hex(vector.output["responder_stream_hex"])
            let result = vector.output["result"] as? String
            let glue = ByteBuffer(string: "next")
            var backAndMore = back
            backAndMore.writeImmutableBuffer(glue)
            var forthAndMore = forth
            if result != nil { forthAndMore.writeImmutableBuffer(glue) }
            let rest = result == nil ? ByteBuffer() : glue
            for pieces in [[backAndMore], bytewise(backAndMore)] {
                let expected = Outcome(written: forth, result: result ?? "refused", rest: glue)
                #expect(try initiate(wants, pieces) == expected, "\(vector.name)")
            }
            for pieces in [[forthAndMore], bytewise(forthAndMore)] {
                let expected = Outcome(written: back, result: result, rest: rest)
                #expect(try respond(supports, pieces) == expected, "\(vector.name)")
            }
        }
        #expect(dialogues == 5)
    }

    @Test func badTokensOfTheVectorsAreRefused() throws {
        let expected: [String: MultistreamError] = [
            "bad token: no newline": .missingNewline, "bad token: length 0": .emptyToken,
            "bad token: too long 1025": .tokenTooLong,
            "bad token: length varint of 3 bytes non-minimal": .malformedLength,
            "bad token: other protocol first": .wrongHeader,
        ]
        var seen = 0
        for vector in try Vectors.load("multistream") {
            guard let error = expected[vector.name] else { continue }
            seen += 1
            let bytes = try hex(vector.input["hex"])
            for pieces in [[bytes], bytewise(bytes)] {
                #expect(throws: error, "\(vector.name)") { try respond([], pieces) }
                #expect(throws: error, "\(vector.name)") { try initiate(["/a"], pieces) }
            }
        }
        #expect(seen == expected.count)
    }

    @Test func theLongestLegalTokenIsRead() throws {
        let vector = try #require(try Vectors.load("multistream").first { $0.name == "max legal token 1024" })
        var bytes = try hex(vector.input["hex"])
        let token = try bytes.readToken()
        #expect(token?.utf8.count == 1023)
        #expect(bytes.readableBytes == 0)
    }

    @Test func aLineWithoutAnEndIsRefusedBeforeItIsHeld() {
        // The length alone gives it away: not one byte of the token is waited for.
        #expect(throws: MultistreamError.tokenTooLong) { try respond([], [ByteBuffer(bytes: [0x81, 0x08])]) }
        let endless = ByteBuffer(repeating: 0xFF, count: 9)
        #expect(throws: MultistreamError.malformedLength) { try respond([], [endless]) }
    }

    @Test func listRequestsAndUnknownProtocolsAreAnsweredSoOften() throws {
        var bytes = tokens(MultistreamToken.header)
        for index in 0..<Limits.multistreamProposals { bytes.writeToken(index % 2 == 0 ? "ls" : "/no/\(index)") }
        let outcome = try respond(["/a"], [bytes])
        #expect(outcome.written.readableBytes == 20 + 4 * Limits.multistreamProposals)
        bytes.writeToken("ls")
        for pieces in [[bytes], bytewise(bytes)] {
            #expect(throws: MultistreamError.tooManyProposals) { try respond(["/a"], pieces) }
        }
    }

    @Test(arguments: ["ls", "/multistream/1.0.0", "/other", "", "NA"])
    func anInitiatorTakesNoAnswerButTheTwo(answer: String) {
        var bytes = tokens(MultistreamToken.header)
        bytes.writeToken(answer)
        #expect(throws: MultistreamError.unexpectedAnswer) { try initiate(["/a", "/b"], [bytes]) }
    }

    @Test func endlessRefusalsEndTheDialogue() throws {
        let bytes = tokens(MultistreamToken.header, "na", "na", "na", "na")
        let outcome = try initiate(["/a", "/b"], [bytes])
        #expect(outcome.result == "refused")
        #expect(outcome.rest.readableBytes == 8)
    }

    @Test func textThatIsNotUnicodeIsRefused() {
        var bytes = tokens(MultistreamToken.header)
        bytes.writeBytes([3, 0xFF, 0xFE, 0x0A])
        #expect(throws: MultistreamError.invalidText) { try respond(["/a"], [bytes]) }
    }

    @Test func eventsOutOfPlaceDoNothing() throws {
        var idle = MultistreamInitiator(["/a"])
        var bytes = tokens(MultistreamToken.header)
        let nothing = try idle.received(&bytes)
        #expect(nothing == .none)
        #expect(bytes.readableBytes == 20)
        _ = idle.opened()
        let again = idle.opened()
        #expect(again == .none)
        var done = MultistreamResponder()
        bytes = tokens(MultistreamToken.header, "/a", "/a")
        _ = try done.received(&bytes, supporting: ["/a"])
        let more = try done.received(&bytes, supporting: ["/a"])
        #expect(more == .none)
        #expect(bytes.readableBytes == 4)
    }
}
