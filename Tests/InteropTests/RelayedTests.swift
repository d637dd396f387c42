import Foundation
import NIOCore
import Testing
import WebRTC
import WebRTCRuntime

extension Interop {
    /// coturn as STUN and TURN server, aiortc behind it.
    @Suite struct RelayedTests {
        @Test(
            "aiortc is reached through coturn and no other way", .timeLimit(.minutes(1)), arguments: ["udp", "tcp"],
            PeerConnectionTests.Offerer.allCases)
        func relayed(_ transport: String, _ offerer: PeerConnectionTests.Offerer) async throws {
            try await Stage.play { stage in
                let coturn = try await Coturn.start(on: stage)
                let ours = await Ours.start(on: stage) {
                    $0.turnServers = [coturn.turnURL(transport)]
                    $0.usesOnlyRelay = true
                }
                let theirs = try await ChannelPeer.start(.aiortc, on: stage)
                let pair = Pair(ours: ours, theirs: theirs)
                switch offerer {
                case .us:
                    let offer = try await ours.peer.createOffer()
                    #expect(!offer.contains("typ host"))
                    _ = try await ours.open(DataChannelOptions(label: "chat"))
                    let candidate = try await relayedCandidate(of: ours)
                    try theirs.command("remote", ["type": "offer", "sdp": offer + "a=\(candidate)\r\n"])
                    try await ours.peer.accept(answer: try await theirs.description())
                case .them:
                    try theirs.open(DataChannelOptions(label: "chat"))
                    try theirs.command("offer")
                    let answer = try await ours.peer.accept(offer: try await theirs.description())
                    #expect(!answer.contains("typ host"))
                    let candidate = try await relayedCandidate(of: ours)
                    try theirs.command("remote", ["type": "answer", "sdp": answer + "a=\(candidate)\r\n"])
                }
                try await ours.peer.connected()
                try await pair.exchange(on: "chat")
                let figures = try #require(await ours.peer.statistics())
                #expect(figures.localCandidate == "relay")
                #expect(figures.remoteCandidate == "host" || figures.remoteCandidate == "prflx")
                // More than checks: the channel at the server carries it.
                let count = 200_000
                let channel = try await ours.open(DataChannelOptions(label: "bulk"))
                try await theirs.opened("bulk")
                try theirs.command("expect", ["label": "bulk", "bytes": count])
                for _ in 0..<count / 1000 { try await channel.send(Data(repeating: 7, count: 1000)) }
                let report = try await theirs.child.event("digest", ["label": "bulk"])
                #expect(report.number("bytes") == Double(count))
            }
        }

        @Test(
            "Two of ours meet at coturn, each by its relayed address", .timeLimit(.minutes(1)),
            arguments: ["udp", "tcp"])
        func ours(_ transport: String) async throws {
            try await Stage.play { stage in
                let coturn = try await Coturn.start(on: stage)
                let configure: @Sendable (inout WebRTCConfiguration) -> Void = {
                    $0.turnServers = [coturn.turnURL(transport)]
                    $0.usesOnlyRelay = true
                }
                let (near, far) = (await Ours.start(on: stage, configure), await Ours.start(on: stage, configure))
                let offer = try await near.peer.createOffer()
                _ = try await near.open(DataChannelOptions(label: "chat"))
                let answer = try await far.peer.accept(offer: offer)
                try await near.peer.accept(answer: answer)
                try await near.peer.add(candidate: try await relayedCandidate(of: far))
                try await far.peer.add(candidate: try await relayedCandidate(of: near))
                try await near.peer.connected()
                try await near.opened("chat").handle.send("over two relays")
                try await far.received(.text(ByteBuffer(string: "over two relays")), on: "chat")
                // Channels work before the pair is chosen: a direct one would still be preferred.
                for end in [near, far] {
                    try await until("a pair is chosen", within: .seconds(10)) {
                        await end.peer.statistics()?.localCandidate == "relay"
                    }
                }
                await near.peer.close()
                try await until("the server took the allocation back", within: .seconds(10)) {
                    coturn.child.text.contains("delete")
                }
            }
        }

        @Test("coturn tells our address", .timeLimit(.minutes(1)))
        func reflexive() async throws {
            try await Stage.play { stage in
                let coturn = try await Coturn.start(on: stage)
                // On the loopback it sees the address that we have: nothing to tell, and an end to asking.
                let ours = await Ours.start(on: stage) { $0.stunServers = [coturn.stunURL] }
                _ = try await ours.peer.createOffer()
                try await until("the server has answered", within: .seconds(10)) { await !ours.peer.isGathering }
                #expect(await ours.peer.localCandidates.count == 1)
            }
        }

        @Test("A wrong password gives no candidate, and nothing else goes wrong", .timeLimit(.minutes(1)))
        func wrongPassword() async throws {
            try await Stage.play { stage in
                let coturn = try await Coturn.start(on: stage)
                let ours = await Ours.start(on: stage) {
                    $0.turnServers = [
                        coturn.turnURL("udp", password: "wrong"), coturn.turnURL("tcp", password: "wrong"),
                    ]
                }
                _ = try await ours.peer.createOffer()
                try await until("the server has refused", within: .seconds(10)) { await !ours.peer.isGathering }
                #expect(await ours.peer.localCandidates.allSatisfy { $0.contains("typ host") })
            }
        }

        private func relayedCandidate(of ours: Ours) async throws -> String {
            while let candidate = try await ours.peer.nextCandidate() {
                if candidate.contains("typ relay") { return candidate }
            }
            throw Failure("there is no relayed candidate")
        }
    }
}
