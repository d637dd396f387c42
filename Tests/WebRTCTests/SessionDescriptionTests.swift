import ICE
import NIOCore
import PlainEngines
import Testing
import VectorFiles
import Wire

@testable import WebRTC

@Suite struct SessionDescriptionTests {
    @Test func theVectorsAreRead() throws {
        let vectors = try Vectors.load("sdp")
        #expect(vectors.count == 6)
        for vector in vectors {
            let kind = try #require(SessionDescription.Kind(rawValue: vector.input["type"] as? String ?? ""))
            let parsed = try SessionDescription(kind, parsing: try #require(vector.input["sdp"] as? String))
            #expect(parsed.isLite == vector.output["ice_lite"] as? Bool)
            #expect(parsed.credentials.ufrag == vector.output["ufrag"] as? String)
            #expect(parsed.credentials.password == vector.output["pwd"] as? String)
            let digest = try hex(try #require(vector.output["fingerprint_hex"] as? String))
            #expect(parsed.fingerprint.bytes == Array(digest.readableBytesView))
            #expect(parsed.setup.rawValue == vector.output["setup"] as? String)
            #expect(parsed.largestMessage == vector.output["max_message_size"] as? Int)
            #expect(parsed.mid == vector.output["mid"] as? String)
            let candidates = try #require(vector.output["candidates"] as? [String])
            #expect(try parsed.candidates == candidates.map { try ICECandidate(parsing: "candidate:\($0)") })
        }
    }

    @Test(arguments: SampleDescriptions.all)
    func whatOthersWriteIsRead(sample: SampleDescription) throws {
        for text in [sample.text, sample.text.replacing("\n", with: "\r\n"), sample.text.replacing("\n", with: "\n\n")]
        {
            let parsed = try SessionDescription(sample.kind, parsing: text)
            #expect(parsed.credentials.ufrag == sample.ufrag)
            #expect(parsed.setup == sample.setup && parsed.mid == sample.mid)
            #expect(parsed.fingerprint == SampleDescriptions.fingerprint)
            #expect(parsed.largestMessage == sample.largestMessage)
            #expect(parsed.candidates.count == sample.candidates)
            #expect(parsed.others.count == sample.others)
            #expect(parsed.hasAllCandidates == sample.hasAllCandidates)
        }
    }

    @Test(arguments: SampleDescriptions.all)
    func whatWeWriteIsReadBackTheSame(sample: SampleDescription) throws {
        let parsed = try SessionDescription(sample.kind, parsing: sample.text)
        #expect(try SessionDescription(sample.kind, parsing: parsed.text) == parsed)
    }

    @Test func ourTextHasWhatEveryStackInsistsOn() throws {
        let link = VirtualLink()
        let text = link.ends[0].makeOffer().text
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.prefix(4) == ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"] && lines.last == "")
        #expect(!text.replacing("\r\n", with: "").contains { $0 == "\n" || $0 == "\r" })
        for beginning in [
            "a=group:BUNDLE 0", "m=application 4000 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 10.0.0.1", "a=mid:0",
            "a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:sha-256 ", "a=setup:", "a=sctp-port:5000",
            "a=max-message-size:262144", "a=candidate:", "a=end-of-candidates",
        ] {
            #expect(lines.contains { $0.hasPrefix(beginning) }, "\(beginning)")
        }
    }

    @Test(
        arguments: [
            ("", .notSDP), ("v=1\n", .notSDP), ("o=- 0 0 IN IP4 0.0.0.0\nv=0\n", .notSDP), ("v=0\n", .noDataChannels),
            ("v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 111\n", .noDataChannels), ("v=0\nm=\n", .noDataChannels),
            ("v=0\nm=application\n", .noDataChannels), ("v=0\nm=application 9 RTP/AVP 1\n", .noDataChannels),
            ("v=0\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel\n", .noDataChannels),
            ("v=0\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\n", .missing("ice-ufrag")),
        ] as [(String, SessionDescriptionError)])
    func whatIsNoDescriptionIsNamed(text: String, error: SessionDescriptionError) {
        #expect(throws: error) { try SessionDescription(.offer, parsing: text) }
    }

    @Test(
        arguments: [
            ("a=ice-ufrag:EsAw\n", "", .missing("ice-ufrag")),
            ("a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\n", "", .missing("ice-pwd")),
            ("a=ice-ufrag:EsAw\n", "a=ice-ufrag:abc\n", .unusable("ice-ufrag or ice-pwd")),
            ("a=ice-ufrag:EsAw\n", "a=ice-ufrag:a b c\n", .unusable("ice-ufrag or ice-pwd")),
            ("a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\n", "a=ice-pwd:short\n", .unusable("ice-ufrag or ice-pwd")),
            ("sha-256 7D:E3", "sha-1 7D:E3", .unusable("fingerprint, which must be of sha-256")),
            ("sha-256 7D:E3", "sha-256 7DE3", .unusable("fingerprint, which must be of sha-256")),
            ("sha-256 7D:E3", "sha-256 +D:E3", .unusable("fingerprint, which must be of sha-256")),
            ("a=setup:actpass\n", "a=setup:holdconn\n", .unusable("setup")),
            ("a=sctp-port:5000\n", "a=sctp-port:5001\n", .unusable("sctp-port")),
            ("a=sctp-port:5000\n", "a=sctp-port:99999\n", .unusable("sctp-port")),
            ("a=max-message-size:262144\n", "a=max-message-size:-1\n", .unusable("max-message-size")),
        ] as [(String, String, SessionDescriptionError)])
    func everyAttributeIsChecked(old: String, new: String, error: SessionDescriptionError) {
        let text = SampleDescriptions.chromium.text.replacing(old, with: new)
        #expect(text != SampleDescriptions.chromium.text)
        #expect(throws: error) { try SessionDescription(.offer, parsing: text) }
    }

    @Test func whatMayLackHasItsDefault() throws {
        var text = SampleDescriptions.chromium.text
        for line in ["a=setup:actpass\n", "a=sctp-port:5000\n", "a=max-message-size:262144\n", "a=mid:0\n"] {
            text = text.replacing(line, with: "")
        }
        let offer = try SessionDescription(.offer, parsing: text)
        #expect(offer.setup == .actpass && offer.sctpPort == 5000 && offer.largestMessage == 65_536 && offer.mid == "0")
        #expect(try SessionDescription(.answer, parsing: text).setup == .active)
        #expect(throws: SessionDescriptionError.unusable("setup")) {
            try SessionDescription(.answer, parsing: SampleDescriptions.chromium.text)
        }
    }

    @Test(arguments: [("0", 0), ("18446744073709551615", Int.max), ("65535", 65_535)])
    func theLargestMessageMayBeAnything(text: String, size: Int) throws {
        let sdp = SampleDescriptions.chromium.text.replacing("size:262144", with: "size:\(text)")
        #expect(try SessionDescription(.offer, parsing: sdp).largestMessage == size)
    }

    @Test func candidatesOfNoUseAreSkippedAndThereAreNotTooMany() throws {
        var text = SampleDescriptions.chromium.text
        for line in [
            "a=candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
            "a=candidate:2 1 udp 2113937151 0a5cd0ae-1c66-4d42-9e5c-0ad5e5b8d9c6.local 50000 typ host",
            "a=candidate:3 2 udp 1 192.0.2.1 5 typ host", "a=candidate:", "a=candidate:x", "a=candidate",
        ] {
            text += line + "\n"
        }
        #expect(try SessionDescription(.offer, parsing: text).candidates.isEmpty)
        for port in 1...500 { text += "a=candidate:\(port) 1 udp 1 192.0.2.1 \(port) typ host\n" }
        #expect(try SessionDescription(.offer, parsing: text).candidates.count == Limits.iceRemoteCandidates)
    }

    @Test func aDescriptionOfTenMegabytesCostsNothing() {
        let text = SampleDescriptions.chromium.text + String(repeating: "a=x\n", count: 2_621_440)
        let start = ContinuousClock.now
        for _ in 0..<3 {
            #expect(throws: SessionDescriptionError.tooLong) { try SessionDescription(.offer, parsing: text) }
        }
        #expect(ContinuousClock.now - start < .seconds(1))
    }

    @Test func linesAndSectionsAreCounted() {
        let base = SampleDescriptions.chromium.text
        #expect(throws: SessionDescriptionError.tooLong) {
            try SessionDescription(.offer, parsing: base + String(repeating: "b\n", count: Limits.sdpLines))
        }
        #expect(throws: SessionDescriptionError.tooLong) {
            try SessionDescription(
                .offer, parsing: base + String(repeating: "m=audio 9 X 0\n", count: Limits.sdpSections))
        }
    }

    @Test func changedTextNeverTraps() {
        var entropy = Entropy.seeded(8866)
        for sample in SampleDescriptions.all {
            for _ in 0..<60 {
                var bytes = Array(sample.text.utf8)
                for _ in 0..<Int.random(in: 1...6, using: &entropy) {
                    let index = Int.random(in: 0..<bytes.count, using: &entropy)
                    switch entropy.next() % 3 {
                    case 0: bytes[index] = UInt8(truncatingIfNeeded: entropy.next())
                    case 1: bytes.remove(at: index)
                    default: bytes.insert(contentsOf: bytes[index...].prefix(20), at: index)
                    }
                }
                let text = String(decoding: bytes, as: UTF8.self)
                guard let parsed = try? SessionDescription(sample.kind, parsing: text) else { continue }
                #expect(parsed.candidates.count <= Limits.iceRemoteCandidates)
                _ = parsed.text
            }
        }
    }

    // MARK: Offer and answer

    @Test(arguments: [
        (SessionDescription.Setup.actpass, SessionDescription.Setup.active), (.active, .passive), (.passive, .active),
    ])
    func anAnswerTakesTheRoleTheOfferLeaves(offered: SessionDescription.Setup, answered: SessionDescription.Setup) {
        let link = VirtualLink(isLite: false) { _, configuration in configuration.dtlsRole = nil }
        var offer = link.ends[0].makeOffer()
        offer.setup = offered
        let answer = link.ends[1].accept(offer: offer, now: link.now)
        #expect(answer.setup == answered && answer.kind == .answer)
    }

    @Test func twoEndsConnectByText() throws {
        let link = VirtualLink(isLite: false) { _, configuration in configuration.dtlsRole = nil }
        let early = try link.at(0) { try $0.open(DataChannelOptions(label: "offerer"), now: $1) }
        let offer = try SessionDescription(.offer, parsing: link.ends[0].makeOffer().text)
        #expect(offer.setup == .actpass)
        let text = link.at(1) { $0.accept(offer: offer, now: $1).text }
        let answer = try SessionDescription(.answer, parsing: text)
        // The answer takes a while; the answerer is active and says hello before the offerer knows it.
        link.run(for: .seconds(1))
        link.at(0) { $0.accept(answer: answer, now: $1) }
        link.run(for: .seconds(5)) { $0.ends.allSatisfy { $0.state == .connected } }
        #expect(link.ends.map(\.state) == [.connected, .connected])
        #expect(link.ends.map(\.role) == [.server, .client])
        link.run(for: .seconds(1))
        #expect(link.ids(openedAt: 0) == [early] && link.infos(openedAt: 1).map(\.options.label) == ["offerer"])
        #expect(link.infos(openedAt: 1).map(\.stream) == [1])
    }

    @Test func otherSectionsAreRefusedInTheirPlaces() throws {
        let link = VirtualLink(isLite: false) { _, configuration in configuration.dtlsRole = nil }
        let offer = try SessionDescription(.offer, parsing: SampleDescriptions.conference.text)
        let lines = link.ends[1].accept(offer: offer, now: link.now).text.split(separator: "\r\n").map(String.init)
        let sections = lines.filter { $0.hasPrefix("m=") }
        #expect(
            sections == [
                "m=audio 0 UDP/TLS/RTP/SAVPF 111 63", "m=application 9090 UDP/DTLS/SCTP webrtc-datachannel",
                "m=video 0 UDP/TLS/RTP/SAVPF 96",
            ])
        #expect(lines.contains("a=group:BUNDLE data") && lines.filter { $0.hasPrefix("a=mid:") }.count == 3)
    }
}
