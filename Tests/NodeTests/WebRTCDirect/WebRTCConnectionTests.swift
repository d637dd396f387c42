import Channels
import ICE
import NIOCore
import PlainEngines
import StreamConformance
import Testing
import VectorFiles
import WebRTC
import Wire

@testable import Node

@Suite struct WebRTCConnectionTests {
    /// What happens, without round trips and times.
    private func describe(_ events: [Connection.Output]) -> [String] {
        events.compactMap { event in
            switch event {
            case .established: "established"
            case .streamOpened(_, let name): "opened \(name)"
            case .streamRefused(_, let why): "refused \(why)"
            case .streamAccepted(_, let name): "accepted \(name)"
            case .received(_, let bytes): "received \(String(buffer: bytes))"
            case .endOfStream: "end"
            case .streamClosed(_, let end): "closed \(end)"
            case .writable: "writable"
            case .send, .roundTrip, .closed: nil
            }
        }
    }

    @Test(arguments: DirectVersion.allCases, [1, 2]) func twoPeersAgreeAndTalk(version: DirectVersion, seed: UInt64)
        throws
    {
        let pair = try DirectPair(seed: seed, version: version)
        pair.establish()
        let listener = try #require(pair.listener)
        #expect(pair.dialer.remotePeer == pair.listenerKey.peerID)
        #expect(listener.remotePeer == pair.dialerKey.peerID)
        #expect(listener.version == version)
        #expect(pair.socket.halfOpenCount == 0)
        let id = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.dialer.write(ByteBuffer(string: "hello"), to: id, now: pair.now)
        pair.dialer.closeWrite(id, now: pair.now)
        pair.run(.seconds(1))
        #expect(describe(pair.takeEvents(of: 1)) == ["established", "accepted /echo/1", "received hello", "end"])
        #expect(describe(pair.takeEvents(of: 0)) == ["established", "opened /echo/1"])
        let theirs = StreamID(1)
        listener.write(ByteBuffer(string: "world"), to: theirs, now: pair.now)
        listener.closeWrite(theirs, now: pair.now)
        pair.run(.seconds(1))
        #expect(describe(pair.takeEvents(of: 1)) == ["closed finished"])
        #expect(describe(pair.takeEvents(of: 0)) == ["received world", "end", "closed finished"])
        for connection in [pair.dialer, listener] {
            #expect(connection.streamCount == 0)
            #expect(connection.streams.session.lingeringCount == 0)
            #expect(connection.channels.isEmpty && connection.streamIDs.isEmpty)
            #expect(connection.heldBytes == 0)
        }
        #expect(pair.phases == Array(repeating: Array(DirectPhase.allCases.dropFirst()), count: 2))
        pair.dialer.close(now: pair.now)
        pair.run(.seconds(1))
        #expect(pair.ends == [.some(nil), .some(nil)])
        #expect(pair.dialer.deadline == .distantFuture)
        #expect(pair.socket.sessionCount == 0)
    }

    @Test func setupTakesNoHiddenTime() throws {
        let pair = try DirectPair(seed: 3, LinkWeather(delay: 10...10))
        let start = pair.now
        pair.establish()
        // STUN, plain DTLS, SCTP and Noise: some round trips of 20 ms, and never a timer.
        #expect(pair.now - start < .milliseconds(200))
    }

    @Test(arguments: [0, 50, 150, 300], [Int64(5), 100, 500]) func anyWeatherIsSurvived(lost: Int, delay: Int64) throws
    {
        let spread = lost == 0 ? delay...delay : delay / 2...delay
        let pair = try DirectPair(
            seed: UInt64(lost) + UInt64(delay), LinkWeather(lost: lost, doubled: lost / 5, delay: spread))
        pair.start()
        let isUp = pair.run(.seconds(11)) {
            pair.dialer.remotePublicKey != nil && pair.listener?.remotePublicKey != nil
        }
        // Half a second each way and a third lost does not always fit ten seconds; it must end in words then.
        guard isUp else {
            #expect(lost == 300 || delay == 500, "\(pair.phases) \(String(describing: pair.ends))")
            let end = try #require(pair.ends[0])
            #expect(end != nil)
            return
        }
        _ = pair.takeEvents(of: 0)
        let id = try pair.dialer.open(["/echo/1"], now: pair.now)
        let data = ByteBuffer(repeating: 7, count: 100_000)
        pair.dialer.write(data, to: id, now: pair.now)
        pair.dialer.closeWrite(id, now: pair.now)
        var received = 0
        var hasEnded = false
        pair.run(.seconds(300)) {
            for event in pair.takeEvents(of: 1) {
                switch event {
                case .received(_, let bytes): received += bytes.readableBytes
                case .endOfStream: hasEnded = true
                default: break
                }
            }
            return hasEnded
        }
        #expect(hasEnded)
        #expect(received == data.readableBytes)
    }

    @Test(arguments: 1...8) func randomTrafficArrivesOnceAndInOrder(seed: Int) throws {
        let weather =
            seed <= 2 ? LinkWeather.clear : LinkWeather(lost: 20 * seed, doubled: 10 * seed, delay: 2...Int64(5 * seed))
        let pair = try DirectPair(seed: UInt64(seed), weather)
        pair.establish()
        _ = (pair.takeEvents(of: 0), pair.takeEvents(of: 1))
        pair.isDialerConsuming = false
        pair.isListenerConsuming = false
        var traffic = MuxerTraffic(seed: UInt64(seed))
        let problems = try traffic.run(pair, steps: 150, resets: seed % 2 == 0)
        #expect(problems == [], "\(pair.ends), \(pair.now), \(pair.dialer.statistics)")
        for connection in [pair.dialer, pair.listener].compactMap(\.self) {
            #expect(connection.heldBytes == 0)
            #expect(connection.streams.session.lingeringCount == 0)
            #expect(connection.channels.isEmpty)
        }
    }

    @Test func theDialersAddressMayChange() throws {
        let pair = try DirectPair(seed: 4)
        pair.establish()
        _ = (pair.takeEvents(of: 0), pair.takeEvents(of: 1))
        let id = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.run(.seconds(1))
        pair.dialerAddress = TransportAddress(.v4(IPv4Address(0xC000_0263)), port: 41_000)
        pair.dialer.write(ByteBuffer(string: "from elsewhere"), to: id, now: pair.now)
        var received = ""
        pair.run(.seconds(60)) {
            for case .received(_, let bytes) in pair.takeEvents(of: 1) { received += String(buffer: bytes) }
            return !received.isEmpty
        }
        #expect(received == "from elsewhere")
    }

    // MARK: Refusals

    @Test func anotherCertificateThanTheAddressPromisesIsRefused() throws {
        let pair = try DirectPair(seed: 5, certificate: 99)
        pair.start()
        pair.run(.seconds(30))
        #expect(pair.ends[0] == .some(.wrongCertificate(pair.listenerEngines.fingerprint)))
        #expect(pair.ends[1] != nil)
        #expect(pair.phases[0].contains(.noise) == false)
        #expect(pair.socket.sessionCount == 0)
    }

    @Test func anotherPeerThanExpectedIsRefused() throws {
        let stranger = KeyPair.generate().peerID
        let pair = try DirectPair(seed: 6, expecting: stranger)
        pair.start()
        pair.run(.seconds(30))
        #expect(pair.ends[0] == .some(.noise(.unexpectedPeer(pair.listenerKey.peerID))))
        // The listener has said its last word before the dialer knows who it is.
        #expect(pair.ends[1] == .some(nil))
        #expect(describe(pair.takeEvents(of: 0)) == [])
        #expect(describe(pair.takeEvents(of: 1)) == ["established"])
    }

    @Test func nobodyThereIsSaidInWords() throws {
        let pair = try DirectPair(seed: 7)
        pair.tamper = { _ in nil }
        pair.start()
        pair.run(.seconds(30))
        #expect(pair.ends[0] == .some(.timeout(.stun)))
        #expect(DirectError.timeout(.stun).description.contains("UDP"))
    }

    @Test(arguments: [DirectPhase.dtls, .sctp, .noise]) func aRemoteThatFallsSilentIsGivenUp(phase: DirectPhase) throws
    {
        let pair = try DirectPair(seed: 8)
        let phases = DirectPhase.allCases
        let before = phases[try #require(phases.firstIndex(of: phase)) - 1]
        pair.tamper = { [unowned pair] flight in pair.phases[0].contains(before) ? nil : flight }
        pair.start()
        let start = pair.now
        pair.run(.seconds(60))
        #expect(pair.ends[0] == .some(.timeout(phase)))
        #expect(pair.ends[1] != nil)
        #expect(pair.socket.halfOpenCount == 0)
        #expect(pair.now - start <= .seconds(60))
    }

    @Test func aHandshakeOfAnotherConnectionIsRefused() throws {
        var entropy = Entropy.seeded(9)
        let dialer = try KeyPair(seed: entropy.bytes(32))
        let listener = try KeyPair(seed: entropy.bytes(32))
        let prints = (1...3).map { PlainEngines(seed: $0).fingerprint }
        func run(_ dialerSees: Fingerprint, _ listenerSees: Fingerprint) throws -> PublicKey? {
            var one = DirectHandshake(
                role: .listener, identity: listener, keys: NoiseKeys(from: &entropy), expecting: nil,
                dialer: listenerSees, listener: prints[1])
            var two = DirectHandshake(
                role: .dialer, identity: dialer, keys: NoiseKeys(from: &entropy), expecting: listener.peerID,
                dialer: prints[0], listener: dialerSees)
            guard case .none = two.opened(), case .write(let first) = one.opened() else { return nil }
            // Whatever the cuts.
            for byte in first.readableBytesView { two.received(ByteBuffer(bytes: [byte])) }
            guard case .write(let second) = try two.next() else { return nil }
            one.received(second)
            guard case .finished(let third?, let key) = try one.next(), key == dialer.publicKey else { return nil }
            two.received(third)
            guard case .finished(nil, let key) = try two.next() else { return nil }
            return key
        }
        #expect(try run(prints[1], prints[0]) == listener.publicKey)
        #expect(throws: DirectError.noise(.authenticationFailed)) { try run(prints[1], prints[2]) }
        #expect(throws: DirectError.noise(.authenticationFailed)) { try run(prints[2], prints[0]) }
    }

    @Test(arguments: try Vectors.load("webrtc_direct").filter { $0.output["prologue_hex"] != nil })
    func prologue(_ vector: Vectors.Vector) throws {
        let dialer = try hex(vector.input["client_fingerprint_sha256_hex"])
        let listener = try hex(vector.input["server_fingerprint_sha256_hex"])
        let prologue = DirectHandshake.prologue(
            dialer: try #require(Fingerprint(Array(dialer.readableBytesView))),
            listener: try #require(Fingerprint(Array(listener.readableBytesView))))
        #expect(try ByteBuffer(bytes: prologue) == hex(vector.output["prologue_hex"]))
    }

    @Test(arguments: ["80e01278", "0802", "020802"]) func nonsenseOnChannelZeroEndsTheHandshake(text: String) throws {
        var entropy = Entropy.seeded(10)
        let print = PlainEngines(seed: 1).fingerprint
        var handshake = DirectHandshake(
            role: .dialer, identity: .generate(), keys: NoiseKeys(from: &entropy), expecting: nil, dialer: print,
            listener: print)
        _ = handshake.opened()
        handshake.received(try hex(text))
        if text == "0802" {
            handshake.received(ByteBuffer(repeating: 0xFF, count: 20))
        }
        var error: DirectError?
        do throws(DirectError) { _ = try handshake.next() } catch let thrown { error = thrown }
        #expect(error == (text == "020802" ? .closedByRemote(.noise) : .malformedHandshake))
    }

    @Test func aHandshakeThatNeverEndsIsBounded() throws {
        var entropy = Entropy.seeded(11)
        let print = PlainEngines(seed: 1).fingerprint
        var handshake = DirectHandshake(
            role: .dialer, identity: .generate(), keys: NoiseKeys(from: &entropy), expecting: nil, dialer: print,
            listener: print)
        _ = handshake.opened()
        // A Noise message of 65,535 bytes is announced.
        let data = ByteBuffer(repeating: 0xFF, count: 4000)
        var fed = 0
        #expect(throws: DirectError.malformedHandshake) {
            while fed < 100_000 {
                handshake.received(ChannelFrame(data: data).encoded)
                fed += 4000
                while case .write = try handshake.next() {}
            }
        }
        #expect(fed <= Limits.directNoiseInbox + 4000)
    }

    @Test func aRemoteThatClosesEndsEveryStream() throws {
        let pair = try DirectPair(seed: 12)
        pair.establish()
        let listener = try #require(pair.listener)
        _ = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.run(.seconds(1))
        _ = (pair.takeEvents(of: 0), pair.takeEvents(of: 1))
        let refused = try pair.dialer.open(["/other/1"], now: pair.now)
        listener.close(now: pair.now)
        pair.run(.seconds(1))
        #expect(describe(pair.takeEvents(of: 0)) == ["closed connectionClosed", "refused connectionClosed"])
        #expect(describe(pair.takeEvents(of: 1)).first == "closed connectionClosed")
        #expect(pair.ends == [.some(nil), .some(nil)])
        #expect(throws: StreamError.notConnected) { try pair.dialer.open(["/echo/1"], now: pair.now) }
        // What is asked of it now is ignored.
        pair.dialer.write(ByteBuffer(string: "late"), to: refused, now: pair.now)
        pair.dialer.closeWrite(refused, now: pair.now)
        pair.dialer.reset(refused, now: pair.now)
        pair.dialer.close(now: pair.now)
        pair.dialer.handle(.start, now: pair.now)
        pair.dialer.handle(.tick, now: pair.now + .hours(1))
        #expect(pair.dialer.poll() == nil)
    }

    @Test func aPathThatDiesEndsTheConnection() throws {
        let pair = try DirectPair(seed: 13)
        pair.establish()
        pair.tamper = { _ in nil }
        pair.run(.seconds(120))
        #expect(pair.ends == [.some(.pathLost), .some(.pathLost)])
    }

    /// SCTP has no window of a single stream, but it has one: a consumer that takes its time loses nothing.
    @Test func aSlowConsumerMakesTheRemoteWaitAndLosesNothing() throws {
        let pair = try DirectPair()
        pair.establish()
        pair.isListenerConsuming = false
        let id = try pair.open(on: 0)
        let sent = Limits.channelHeldHigh * 3 / 2
        pair.write(ByteBuffer(repeating: 7, count: sent), to: id, on: 0)
        pair.closeWrite(id, on: 0)
        var received = 0
        func take() -> [StreamID] {
            pair.takeEvents(of: 1).compactMap {
                guard case .received(let id, let bytes) = $0 else { return nil }
                received += bytes.readableBytes
                return id
            }
        }
        pair.run(.seconds(10))
        let ids = take()
        #expect(received > Limits.channelHeldHigh && received < Limits.channelHeldHigh + (128 << 10))
        // The streams of the connection are the same, and its path is watched as ever.
        #expect(pair.streamCount(on: 1) == 1 && pair.ends.allSatisfy { $0 == nil })
        pair.isListenerConsuming = true
        pair.consumed(received, of: try #require(ids.first), on: 1)
        pair.run(.seconds(30)) {
            _ = take()
            return received == sent
        }
        #expect(received == sent && pair.listener?.heldBytes == 0)
    }

    @Test func aQuietConnectionLivesOn() throws {
        let pair = try DirectPair(seed: 14)
        pair.establish()
        pair.run(.minutes(10))
        #expect(pair.ends == [nil, nil])
        #expect(pair.dialer.roundTrip == .milliseconds(10))
        _ = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.run(.seconds(1))
        #expect(describe(pair.takeEvents(of: 1)).last == "accepted /echo/1")
    }

    @Test func manyStreamsOneAfterTheOtherReuseTheirChannels() throws {
        let pair = try DirectPair(seed: 15, LinkWeather(delay: 1...1))
        pair.establish()
        let listener = try #require(pair.listener)
        var done = 0
        for _ in 0..<200 {
            let id = try pair.dialer.open(["/echo/1"], now: pair.now)
            pair.dialer.closeWrite(id, now: pair.now)
            let isOver = pair.run(.seconds(5)) {
                for case .streamAccepted(let id, _) in pair.takeEvents(of: 1) { listener.closeWrite(id, now: pair.now) }
                return pair.takeEvents(of: 0).contains {
                    if case .streamClosed(id, .finished) = $0 { true } else { false }
                }
            }
            if isOver { done += 1 }
        }
        #expect(done == 200)
        pair.run(.seconds(20))
        for connection in [pair.dialer, listener] {
            #expect(connection.channels.isEmpty)
            #expect(connection.statistics.channels <= 1)
        }
    }
}
