import Crypto
import Cryptography
import NIOCore
import Testing
import VectorFiles
import Wire

@testable import Channels

@Suite struct NoiseTests {
    private func handshake(
        _ side: NoiseHandshake.Side, _ values: Any?, prologue: ByteBuffer, muxers: [String], expecting: PeerID? = nil
    ) throws -> NoiseHandshake {
        let values = try #require(values as? [String: Any])
        func key(_ name: String) throws -> Curve25519.KeyAgreement.PrivateKey {
            try .init(rawRepresentation: Array(try hex(values[name]).readableBytesView))
        }
        return NoiseHandshake(
            side, identity: try KeyPair(seed: Array(try hex(values["identity_seed_hex"]).readableBytesView)),
            keys: NoiseKeys(
                staticKey: try key("static_private_hex"), ephemeralKey: try key("ephemeral_private_hex")),
            expecting: expecting, muxers: muxers, prologue: Array(prologue.readableBytesView))
    }

    /// Feeds pieces; the handshake's written bytes, its result, and what it left.
    private func feed(
        _ handshake: inout NoiseHandshake, _ pieces: [ByteBuffer]
    ) throws(NoiseError) -> (ByteBuffer, NoiseHandshake.Result?, ByteBuffer) {
        var inbox = ByteBuffer()
        var written = ByteBuffer()
        var result: NoiseHandshake.Result?
        for piece in pieces {
            inbox.writeImmutableBuffer(piece)
            loop: while result == nil {
                switch try handshake.received(&inbox) {
                case .none: break loop
                case .write(let bytes): written.writeImmutableBuffer(bytes)
                case .finished(let last, let value):
                    if let last { written.writeImmutableBuffer(last) }
                    result = value
                }
            }
        }
        return (written, result, inbox)
    }

    @Test(arguments: [false, true]) func bothSidesReplayTheTranscripts(split: Bool) throws {
        var count = 0
        for vector in try Vectors.load("noise_xx") {
            guard let first = vector.output["wire_message_1_hex"] else { continue }
            count += 1
            let prologue = try hex(vector.input["prologue_hex"])
            // Our list has one entry; the vector whose initiator lists two is replayed by its responder.
            let listed = vector.name.contains("advertise") ? ["/yamux/1.0.0"] : []
            let initiatorMuxers = listed.isEmpty ? [] : ["/yamux/1.0.0", "/mplex/6.7.0"]
            var initiator = try handshake(
                .initiator, vector.input["initiator"], prologue: prologue, muxers: initiatorMuxers)
            var responder = try handshake(.responder, vector.input["responder"], prologue: prologue, muxers: listed)
            let message1 = try hex(first)
            let message2 = try hex(vector.output["wire_message_2_hex"])
            let message3 = try hex(vector.output["wire_message_3_hex"])
            let glue = ByteBuffer(string: "next")
            func pieces(_ buffers: ByteBuffer...) -> [ByteBuffer] {
                var all = ByteBuffer()
                for buffer in buffers { all.writeImmutableBuffer(buffer) }
                return split ? bytewise(all) : [all]
            }
            guard case .write(let opening) = initiator.opened() else { throw NoiseError.truncatedMessage }
            #expect(opening == message1, "\(vector.name)")
            let (final, one, rest1) = try feed(&initiator, pieces(message2, glue))
            #expect(final == message3, "\(vector.name)")
            #expect(rest1 == glue)
            guard case .none = responder.opened() else { throw NoiseError.truncatedMessage }
            let (reply, two, rest2) = try feed(&responder, pieces(message1, message3, glue))
            #expect(reply == message2, "\(vector.name)")
            #expect(rest2 == glue)
            let results = (try #require(one), try #require(two))
            let hash = Array(try hex(vector.output["handshake_hash_hex"]).readableBytesView)
            #expect(results.0.hash == hash)
            #expect(results.1.hash == hash)
            #expect(results.1.muxers == initiatorMuxers)
            #expect(results.0.muxers == listed)
            #expect(results.1.remoteKey.peerID.description == vector.output["initiator_peer_id"] as? String)
            #expect(results.0.remoteKey.peerID.description == vector.output["responder_peer_id"] as? String)
            try replay(vector.output["transport"], results.0.transport, results.1.transport)
        }
        #expect(count == 3)
    }

    private func replay(_ list: Any?, _ initiator: NoiseTransport, _ responder: NoiseTransport) throws {
        var (initiator, responder) = (initiator, responder)
        for (index, record) in try #require(list as? [[String: Any]]).enumerated() {
            let plaintext = try hex(record["plaintext_hex"])
            let expected = try hex(record["wire_hex"])
            var wire = expected
            let forth = record["direction"] as? String == "initiator->responder"
            var opened = ByteBuffer()
            let isComplete =
                forth ? try responder.receive(&wire, into: &opened) : try initiator.receive(&wire, into: &opened)
            #expect(isComplete)
            #expect(opened == plaintext)
            // An empty record is only ever received: what is appended is never empty.
            var sealed = ByteBuffer()
            guard plaintext.readableBytes > 0 else { continue }
            if forth {
                try initiator.append(plaintext, to: &sealed)
            } else {
                try responder.append(plaintext, to: &sealed)
            }
            if forth { try initiator.finish(&sealed) } else { try responder.finish(&sealed) }
            #expect(sealed.readableBytes == plaintext.readableBytes + 18)
            if index < 2 { #expect(sealed == expected) }
        }
    }

    @Test func payloadsAreCheckedAsTheVectorsSay() throws {
        let expected: [String: NoiseError] = [
            "bad payload: signature over another static key": .invalidSignature,
            "bad payload: signature without the prefix": .invalidSignature,
            "bad payload: missing identity_key": .malformedPayload,
            "bad payload: missing identity_sig": .malformedPayload,
            "bad payload: truncated protobuf": .malformedPayload,
            "bad payload: empty": .malformedPayload,
        ]
        var count = 0
        for vector in try Vectors.load("noise_xx") {
            guard vector.input["payload_hex"] != nil else { continue }
            count += 1
            let payload = try hex(vector.input["payload_hex"])
            let key = Array(try hex(vector.input["static_public_hex"]).readableBytesView)
            if let error = expected[vector.name] {
                #expect(throws: error, "\(vector.name)") { _ = try NoisePayload(payload, staticKey: key) }
            } else {
                let read = try NoisePayload(payload, staticKey: key)
                #expect(read.identity.peerID.description == vector.output["peer_id"] as? String)
            }
        }
        #expect(count == 7)
    }

    private func transports() -> (NoiseTransport, NoiseTransport) {
        let keys = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        return (
            NoiseTransport(sealingKey: keys.0, openingKey: keys.1),
            NoiseTransport(sealingKey: keys.1, openingKey: keys.0)
        )
    }

    private func seal(_ text: String, _ transport: inout NoiseTransport) throws -> ByteBuffer {
        var output = ByteBuffer()
        try transport.append(ByteBuffer(string: text), to: &output)
        try transport.finish(&output)
        return output
    }

    @Test(arguments: ["replayed", "reordered", "altered", "foreign", "empty", "short"])
    func badRecordsAreRefused(kind: String) throws {
        var (sender, receiver) = transports()
        let first = try seal("one", &sender)
        let second = try seal("two", &sender)
        var wire = ByteBuffer()
        var expected = NoiseError.authenticationFailed
        switch kind {
        case "replayed":
            wire.writeImmutableBuffer(first)
            wire.writeImmutableBuffer(first)
        case "reordered": wire.writeImmutableBuffer(second)
        case "altered":
            wire.writeImmutableBuffer(first)
            wire.setInteger((first.getInteger(at: 5, as: UInt8.self) ?? 0) ^ 1, at: 5)
        case "foreign":
            var other = NoiseTransport(
                sealingKey: [UInt8](repeating: 3, count: 32), openingKey: [UInt8](repeating: 3, count: 32))
            wire = try seal("one", &other)
        case "empty":
            wire.writeInteger(UInt16(0))
            expected = .truncatedMessage
        default:
            // Refused by its length alone.
            wire.writeInteger(UInt16(15))
            expected = .truncatedMessage
        }
        var plaintext = ByteBuffer()
        #expect(throws: expected) {
            while try receiver.receive(&wire, into: &plaintext) {}
        }
        #expect(plaintext.readableBytes == (kind == "replayed" ? 3 : 0))
    }

    @Test func recordsOfEverySizeCrossAtEverySplit() throws {
        var (sender, receiver) = transports()
        var output = ByteBuffer()
        var expected = ByteBuffer()
        for size in [1, 15, 16, 63, 64, 65, 1000, 16_384, 16_396, 16_397, 50_000] {
            let bytes = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            expected.writeImmutableBuffer(bytes)
            try sender.append(bytes, to: &output)
            if size % 2 == 0 { try sender.finish(&output) }
        }
        try sender.finish(&output)
        var inbox = ByteBuffer()
        var plaintext = ByteBuffer()
        var entropy = Entropy.seeded(4)
        while output.readableBytes > 0 {
            let count = min(Int.random(in: 1...700, using: &entropy), output.readableBytes)
            let chunk = output.readSlice(length: count)
            inbox.writeImmutableBuffer(try #require(chunk))
            while try receiver.receive(&inbox, into: &plaintext) {}
        }
        #expect(plaintext == expected)
    }

    @Test(arguments: [0, 1, 31]) func messagesTooShortAreRefusedByTheirLength(length: Int) throws {
        let identity = try KeyPair(seed: [UInt8](repeating: 9, count: 32))
        var entropy = Entropy.seeded(1)
        for side in [NoiseHandshake.Side.initiator, .responder] {
            var handshake = NoiseHandshake(
                side, identity: identity, keys: NoiseKeys(from: &entropy), expecting: nil, muxers: [])
            _ = handshake.opened()
            var wire = ByteBuffer(integer: UInt16(length))
            #expect(throws: NoiseError.truncatedMessage) { _ = try handshake.received(&wire) }
        }
    }

    @Test func aPointOfSmallOrderIsRefused() throws {
        var entropy = Entropy.seeded(1)
        var responder = NoiseHandshake(
            .responder, identity: try KeyPair(seed: entropy.bytes(32)), keys: NoiseKeys(from: &entropy),
            expecting: nil, muxers: [])
        _ = responder.opened()
        var wire = ByteBuffer(integer: UInt16(32))
        wire.writeRepeatingByte(0, count: 32)
        #expect(throws: NoiseError.degenerateKey) { _ = try responder.received(&wire) }
    }

    @Test func everyFlippedBitOfAHandshakeIsNoticed() throws {
        let seeds = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        for target in stride(from: 0, to: 202, by: 9) {
            var entropy = Entropy.seeded(1)
            var initiator = NoiseHandshake(
                .initiator, identity: try KeyPair(seed: seeds.0), keys: NoiseKeys(from: &entropy), expecting: nil,
                muxers: [])
            var responder = NoiseHandshake(
                .responder, identity: try KeyPair(seed: seeds.1), keys: NoiseKeys(from: &entropy), expecting: nil,
                muxers: [])
            guard case .write(let first) = initiator.opened() else { continue }
            _ = responder.opened()
            var (reply, _, _) = try feed(&responder, [first])
            #expect(reply.readableBytes == 202)
            reply.setInteger((reply.getInteger(at: target, as: UInt8.self) ?? 0) ^ 0x40, at: target)
            if target >= 2 {
                #expect(throws: NoiseError.self) { _ = try feed(&initiator, [reply]) }
            }
        }
    }

    @Test func anAEADRefusesWhatItDidNotSeal() {
        let key = [UInt8](repeating: 5, count: 32)
        let sealing = AEAD(sealingWith: key)
        let opening = AEAD(openingWith: key)
        var sealed = ByteBuffer(string: "prefix")
        sealed.writeString("secret")
        sealing.seal(&sealed, from: 6, nonce: 7, authenticating: [1, 2])
        #expect(sealed.readString(length: 6) == "prefix")
        #expect(sealed.readableBytes == 22)
        var plaintext = ByteBuffer(string: ">")
        #expect(!opening.open(sealed, into: &plaintext, nonce: 8, authenticating: [1, 2]))
        #expect(!opening.open(sealed, into: &plaintext, nonce: 7, authenticating: [1, 3]))
        #expect(!opening.open(sealed, into: &plaintext, nonce: 7))
        #expect(!opening.open(ByteBuffer(), into: &plaintext, nonce: 7))
        #expect(String(buffer: plaintext) == ">")
        #expect(opening.open(sealed, into: &plaintext, nonce: 7, authenticating: [1, 2]))
        #expect(String(buffer: plaintext) == ">secret")
    }
}
