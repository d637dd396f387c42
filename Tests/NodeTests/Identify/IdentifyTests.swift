import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct IdentifyMessageTests {
    @Test("The vector reads and writes byte by byte")
    func vector() throws {
        let vector = try #require(try Fixture.vectors("protobuf_messages").first { $0.name.hasPrefix("identify") })
        let bytes = Fixture.bytes(hex: vector.hex)
        var inbox = ByteBuffer(bytes: bytes)
        let body = try inbox.readFrame(limit: Limits.identifyMessage)
        let message = try IdentifyMessage(protobuf: try #require(body))
        #expect(message.agentVersion == "universal-connectivity/0.1.0")
        #expect(message.protocolVersion == "ipfs/0.1.0")
        #expect(message.protocols == ["/ipfs/id/1.0.0", "/meshsub/1.1.0"])
        #expect(try message.listenAddresses.map { try Multiaddr(bytes: $0).description } == ["/ip4/1.2.3.4/tcp/4001"])
        #expect(Array(message.frame().readableBytesView) == bytes)
    }

    @Test("Singular fields are replaced and lists grow as messages are merged")
    func merge() throws {
        var first = IdentifyMessage()
        first.agentVersion = "old"
        first.protocols = ["/a"]
        var second = IdentifyMessage()
        second.agentVersion = "new"
        second.protocols = ["/b"]
        var merged = try IdentifyMessage(protobuf: first.protobuf)
        try merged.merge(protobuf: second.protobuf)
        #expect(merged.agentVersion == "new")
        #expect(merged.protocols == ["/a", "/b"])
    }

    @Test("Lists and texts are bounded")
    func bounds() throws {
        var big = IdentifyMessage()
        big.protocols = (0..<1000).map { "/p/\($0)" } + [String(repeating: "x", count: 5000)]
        big.listenAddresses = (0..<1000).map { ByteBuffer(integer: UInt64($0)) }
        big.agentVersion = String(repeating: "ä", count: 1000)
        let read = try IdentifyMessage(protobuf: big.protobuf)
        #expect(read.protocols.count == Limits.identifyProtocols)
        #expect(read.listenAddresses.count == Limits.identifyAddresses)
        #expect(read.agentVersion == String(repeating: "ä", count: 128))
    }

    @Test("Texts that are no UTF-8 are repaired or skipped, empty addresses skipped")
    func oddFields() throws {
        var bytes = ByteBuffer()
        bytes.writeProtobuf(field: 3, bytes: [0xFF, 0xFE])
        bytes.writeProtobuf(field: 3, string: "")
        bytes.writeProtobuf(field: 2, bytes: [])
        bytes.writeProtobuf(field: 4, bytes: [])
        bytes.writeProtobuf(field: 6, bytes: [0x61, 0xFF])
        bytes.writeProtobuf(field: 99, varint: 1)
        let read = try IdentifyMessage(protobuf: bytes)
        #expect(read.protocols.isEmpty)
        #expect(read.listenAddresses.isEmpty)
        #expect(read.observedAddress == nil)
        #expect(read.agentVersion == "a\u{FFFD}")
    }

    /// The one message of a frame, which fits what rust-libp2p reads.
    private func read(_ frame: ByteBuffer) throws -> IdentifyMessage {
        var inbox = frame
        let body = try inbox.readFrame(limit: Limits.identifySent)
        #expect(inbox.readableBytes == 0)
        return try IdentifyMessage(protobuf: try #require(body))
    }

    @Test("What is sent fits 4096 bytes; the record goes first, then addresses from the end")
    func trimming() throws {
        var message = IdentifyMessage()
        message.publicKey = try Fixture.key(1).publicKey.protobuf
        message.protocols = ["/ipfs/id/1.0.0"]
        message.listenAddresses = try (0..<10).map { try Multiaddr("/ip4/10.0.0.\($0)/tcp/1").bytes }
        message.signedPeerRecord = ByteBuffer(repeating: 1, count: 4090)
        var frame = message.frame()
        let withoutRecord = try read(frame)
        #expect(withoutRecord.signedPeerRecord == nil)
        #expect(withoutRecord.listenAddresses == message.listenAddresses)

        message.listenAddresses = (0..<100).map { ByteBuffer(repeating: UInt8($0), count: 100) }
        frame = message.frame()
        let trimmed = try read(frame)
        #expect(trimmed.listenAddresses == Array(message.listenAddresses.prefix(trimmed.listenAddresses.count)))
        #expect((35...40).contains(trimmed.listenAddresses.count))
        #expect(trimmed.publicKey == message.publicKey)

        message.protocols = (0..<1000).map { "/protocol/\($0)" }
        frame = message.frame()
        let bare = try read(frame)
        #expect(bare.publicKey == message.publicKey)
        #expect(bare.protocols.count > 200)
    }
}

@Suite struct IdentifyRequestTests {
    private let start = Fixture.start

    private func answer(_ number: UInt8 = 1) throws -> ByteBuffer {
        Identify.answer(
            try Fixture.key(number), agentVersion: "test", protocols: ["/a", "/b"],
            addresses: [try Multiaddr("/ip4/1.2.3.4/tcp/5")], observed: try Multiaddr("/ip4/5.6.7.8/tcp/9"),
            signedPeerRecord: nil)
    }

    private func request(_ number: UInt8 = 1) throws -> IdentifyRequest {
        IdentifyRequest(from: try Fixture.peer(number), now: start)
    }

    private func frame(_ message: IdentifyMessage) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeFrame(message.protobuf)
        return buffer
    }

    @Test("An answer is read however it is cut", arguments: [1, 2, 7, 100, 10_000])
    func answerInPieces(size: Int) throws {
        var request = try request()
        #expect(Fixture.feed(try answer(), by: size, none: .none) { request.received(&$0) } == [])
        guard case .identified(let message) = request.closed() else {
            Issue.record("no answer")
            return
        }
        var info = IdentifyInfo(peer: try Fixture.peer(1))
        try info.merge(message)
        #expect(info.agentVersion == "test")
        #expect(info.protocols == ["/a", "/b"])
        #expect(info.listenAddresses.map(\.description) == ["/ip4/1.2.3.4/tcp/5"])
        #expect(info.observedAddress?.description == "/ip4/5.6.7.8/tcp/9")
        #expect(!info.hasSignedRecord)
        #expect(request.closed() == .none)
        #expect(request.deadline == .distantFuture)
    }

    @Test("Ten messages are merged, an eleventh is too many", arguments: [1, 100_000])
    func messages(size: Int) throws {
        var part = IdentifyMessage()
        part.protocols = ["/x"]
        var bytes = ByteBuffer()
        for _ in 0..<10 { bytes.writeImmutableBuffer(frame(part)) }
        var ten = try request()
        #expect(Fixture.feed(bytes, by: size, none: .none) { ten.received(&$0) } == [])
        guard case .identified(let merged) = ten.closed() else {
            Issue.record("no answer")
            return
        }
        #expect(merged.protocols.count == 10)

        bytes.writeInteger(UInt8(0))
        var eleven = try request()
        let actions = Fixture.feed(bytes, by: size, none: .none) { eleven.received(&$0) }
        #expect(actions == [.failed(.tooManyMessages)])
    }

    @Test("An announced gigabyte is refused from its prefix alone")
    func gigabyte() throws {
        var prefix = ByteBuffer()
        prefix.writeUVarint(1 << 30)
        for size in [1, 9] {
            var request = try request()
            let actions = Fixture.feed(prefix, by: size, none: .none) { request.received(&$0) }
            #expect(actions == [.failed(.framing(.tooLong(1 << 30, limit: 8192)))])
        }
    }

    @Test(
        "Bad input has its error",
        arguments: [
            ([0x80, 0x00], .framing(.varint(.nonMinimal))),
            ([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], .framing(.varint(.overflow))),
            ([0x81, 0x40], .framing(.tooLong(8193, limit: 8192))),
            ([0x02, 0x0A, 0x05], .malformed(.truncated)),
            ([0x01, 0x0B], .malformed(.unsupportedWireType(3))),
            ([0x02, 0x08, 0x01], .malformed(.unexpectedWireType(field: 1))),
            ([0x03, 0x0A, 0x01, 0x00], .keyMismatch),
        ] as [([UInt8], IdentifyError)])
    func badInput(bytes: [UInt8], error: IdentifyError) throws {
        for size in [1, 100] {
            var request = try request()
            let actions = Fixture.feed(ByteBuffer(bytes: bytes), by: size, none: .none) { request.received(&$0) }
            #expect(actions == [.failed(error)])
            #expect(request.closed() == .none)
        }
    }

    @Test("Another peer's key is refused")
    func foreignKey() throws {
        var request = try request(2)
        var inbox = try answer(1)
        #expect(request.received(&inbox) == .failed(.keyMismatch))
        var info = IdentifyInfo(peer: try Fixture.peer(2))
        var message = IdentifyMessage()
        message.publicKey = try Fixture.key(1).publicKey.protobuf
        message.agentVersion = "liar"
        #expect(throws: IdentifyError.keyMismatch) { try info.merge(message) }
        #expect(info.agentVersion == nil)
    }

    @Test("What came whole counts at the end and at the deadline; nothing, or half a message, does not")
    func ends() throws {
        var empty = try request()
        #expect(empty.closed() == .failed(.closed))
        var silent = try request()
        #expect(silent.timedOut(now: start + .seconds(4)) == .none)
        #expect(silent.timedOut(now: start + .seconds(5)) == .failed(.timedOut))
        var open = try request()
        var inbox = try answer()
        _ = open.received(&inbox)
        guard case .identified = open.timedOut(now: start + .seconds(5)) else {
            Issue.record("an answer without an end is lost")
            return
        }
        var broken = try request()
        var half = try answer()
        half.moveWriterIndex(to: half.writerIndex - 1)
        _ = broken.received(&half)
        #expect(broken.closed() == .failed(.closed))
    }

    @Test("Random bytes and random changes never do more than fail", arguments: 0..<20 as Range<UInt64>)
    func fuzz(seed: UInt64) throws {
        var entropy = Entropy.seeded(seed)
        for _ in 0..<50 {
            var bytes = try answer()
            for _ in 0..<Int.random(in: 1...8, using: &entropy) {
                let index = Int.random(in: 0..<bytes.readableBytes, using: &entropy)
                bytes.setInteger(UInt8.random(in: 0...255, using: &entropy), at: index)
            }
            let size = Int.random(in: 1...200, using: &entropy)
            var pieces = try request()
            var whole = try request()
            let first = Fixture.feed(bytes, by: size, none: .none) { pieces.received(&$0) }
            let second = Fixture.feed(bytes, by: 10_000, none: .none) { whole.received(&$0) }
            #expect(first == second)
            #expect(pieces.closed() == whole.closed())
        }
    }
}

@Suite struct IdentifyInfoTests {
    private func message(_ change: (inout IdentifyMessage) throws -> Void) rethrows -> IdentifyMessage {
        var message = IdentifyMessage()
        try change(&message)
        return message
    }

    @Test("A push replaces what it carries and leaves the rest")
    func push() throws {
        var info = IdentifyInfo(peer: try Fixture.peer(1))
        try info.merge(
            try message {
                $0.agentVersion = "one"
                $0.protocols = ["/a", "/b", "/a"]
                $0.listenAddresses = [try Multiaddr("/ip4/1.1.1.1/tcp/1").bytes]
            })
        #expect(info.protocols == ["/a", "/b"])
        try info.merge(message { $0.protocols = ["/c"] })
        #expect(info.protocols == ["/c"])
        #expect(info.agentVersion == "one")
        try info.merge(message { $0.agentVersion = "two" })
        #expect(info.protocols == ["/c"], "rust: an empty list means unchanged")
        #expect(info.listenAddresses.count == 1)
    }

    @Test("Bad addresses are skipped, the peer's own name at the end is cut off")
    func addresses() throws {
        let peer = try Fixture.peer(1)
        var info = IdentifyInfo(peer: peer)
        let good = try Multiaddr("/ip4/1.1.1.1/tcp/1")
        try info.merge(
            try message {
                $0.listenAddresses = [
                    ByteBuffer(bytes: [0xFF, 0x7F]), try good.appending(peer).bytes, good.bytes, ByteBuffer(bytes: [4]),
                ]
                $0.observedAddress = ByteBuffer(bytes: [1, 2, 3])
            })
        #expect(info.listenAddresses == [good])
        #expect(info.observedAddress == nil)
    }

    @Test("A genuine record wins over the list; a forged or foreign one does not")
    func record() throws {
        let signed = try Multiaddr("/ip4/9.9.9.9/tcp/9")
        let listed = try Multiaddr("/ip4/1.1.1.1/tcp/1")
        func envelope(_ number: UInt8) throws -> ByteBuffer {
            let key = try Fixture.key(number)
            return PeerRecord(peerID: key.peerID, sequence: 1, addresses: [signed]).sealed(by: key)
        }
        func merged(_ record: ByteBuffer) throws -> IdentifyInfo {
            var info = IdentifyInfo(peer: try Fixture.peer(1))
            try info.merge(
                message {
                    $0.listenAddresses = [listed.bytes]
                    $0.signedPeerRecord = record
                })
            return info
        }
        let genuine = try merged(envelope(1))
        #expect(genuine.listenAddresses == [signed])
        #expect(genuine.hasSignedRecord)

        var forged = try envelope(1)
        forged.setInteger(UInt8(0), at: forged.writerIndex - 1)
        forged.setInteger(UInt8(1), at: forged.writerIndex - 2)
        for record in [forged, try envelope(2), ByteBuffer(bytes: [1, 2, 3])] {
            let info = try merged(record)
            #expect(info.listenAddresses == [listed])
            #expect(!info.hasSignedRecord)
        }
    }

    @Test("The older form of the record is accepted too")
    func legacyRecord() throws {
        let key = try Fixture.key(1)
        let record = PeerRecord(peerID: key.peerID, sequence: 1, addresses: [try Multiaddr("/ip4/9.9.9.9/tcp/9")])
        let envelope = SignedEnvelope.seal(
            record.protobuf, type: Array("/libp2p/routing-state-record".utf8), domain: "libp2p-routing-state", by: key)
        var info = IdentifyInfo(peer: key.peerID)
        try info.merge(message { $0.signedPeerRecord = envelope.protobuf })
        #expect(info.hasSignedRecord)
    }
}
