import NIOCore
import Testing
import Wire

@testable import Node

/// The five leaves of the relay protocol: what each does at every event, however the bytes arrive.
@Suite struct RelayLeafTests {
    private static let now = Fixture.start
    private static let unix: UInt64 = 1_893_455_000
    /// What a pipe carries behind the answer.
    private static let behind = ByteBuffer(string: "\u{13}/multistream/1.0.0\n")

    private static func glued(_ frame: ByteBuffer) -> ByteBuffer {
        var bytes = frame
        bytes.writeImmutableBuffer(behind)
        return bytes
    }

    // MARK: Reserve

    private static func reserve() throws -> ReserveRequest {
        let relay = try KeyPair(seed: Array(0x40...0x5F)).peerID
        return ReserveRequest(to: relay, own: try RelayMessageTests.peer(RelayMessageTests.peerA), now: now)
    }

    @Test(arguments: [1, 3, 100, 10_000])
    func aGrantIsTakenHoweverItArrives(size: Int) throws {
        var machine = try Self.reserve()
        let frame = try RelayMessageTests.vector(RelayMessageTests.grant)
        let actions = Fixture.feed(frame, by: size, none: .none) {
            machine.received(&$0, unixSeconds: Self.unix)
        }
        let address = try Multiaddr("/ip4/1.2.3.4/tcp/4001/p2p/12D3KooWCKq9ZvccjmCqhBbPsrgpAKBHWQpgB61ruM19CyAvH1Cp")
        let limit = RelayLimit(seconds: 120, bytes: 131_072)
        #expect(actions == [.reserved(.init(expires: 1_893_456_000, addresses: [address], limit: limit))])
        #expect(machine.deadline == .distantFuture)
        #expect(machine.closed(isRefused: false) == .none)
    }

    private static func answers() -> [(String, HopMessage, RelayError)] {
        var early = HopMessage.status(.ok)
        early.reservation = RelayReservation(expires: unix - Limits.clockSkew - 1)
        var forged = early
        forged.reservation = RelayReservation(expires: .max, voucher: ByteBuffer(string: "x"))
        var odd = HopMessage(.reserve)
        odd.kind = nil
        return [
            ("refused", .status(.reservationRefused), .refused(.reservationRefused)),
            ("full", .status(.resourceLimitExceeded), .refused(.resourceLimitExceeded)),
            ("status of nobody", .status(RelayStatus(code: 4711)), .refused(RelayStatus(code: 4711))),
            ("no status", HopMessage(.status), .refused(RelayStatus(code: 0))),
            ("no reservation", .status(.ok), .malformed(.missing(field: 3))),
            ("over", early, .expired),
            ("another kind", HopMessage(.connect), .unexpectedMessage), ("unknown kind", odd, .unexpectedMessage),
            ("forged", forged, .voucher(.envelope(.protobuf(.unsupportedWireType(0))))),
        ]
    }

    @Test(arguments: Self.answers().map(\.0))
    func everyOtherAnswerFails(name: String) throws {
        let (_, message, expected) = try #require(Self.answers().first { $0.0 == name })
        var machine = try Self.reserve()
        var inbox = message.frame()
        let action = machine.received(&inbox, unixSeconds: Self.unix)
        guard case .failed(let error) = action else {
            Issue.record("\(action)")
            return
        }
        if case .voucher = expected, case .voucher = error { return }
        #expect(error == expected)
        #expect(!error.words.isEmpty)
    }

    @Test func aVoucherThatEndsSoonerBoundsTheReservation() throws {
        let relay = try Fixture.key(1)
        let own = try Fixture.peer(2)
        var message = HopMessage.status(.ok)
        let voucher = ReservationVoucher(relay: relay.peerID, peer: own, expires: 2000).sealed(by: relay)
        message.reservation = RelayReservation(expires: 9000, voucher: voucher)
        message.limit = RelayLimit(seconds: 0, bytes: 0)
        var machine = ReserveRequest(to: relay.peerID, own: own, now: Self.now)
        var inbox = message.frame()
        let action = machine.received(&inbox, unixSeconds: 1000)
        #expect(action == .reserved(.init(expires: 2000, addresses: [], limit: nil)))
    }

    /// What a client makes of a grant that ends at one time, its voucher at another, when its clock shows a third.
    private static func granted(_ expires: UInt64, voucher: UInt64?, at now: UInt64) throws -> ReserveRequest.Action {
        let relay = try Fixture.key(1)
        let own = try Fixture.peer(2)
        var message = HopMessage.status(.ok)
        message.reservation = RelayReservation(
            expires: expires,
            voucher: voucher.map { ReservationVoucher(relay: relay.peerID, peer: own, expires: $0).sealed(by: relay) })
        var machine = ReserveRequest(to: relay.peerID, own: own, now: Self.now)
        var inbox = message.frame()
        return machine.received(&inbox, unixSeconds: now)
    }

    @Test("A clock that is hours ahead of the relay's does not refuse what the relay gave just now")
    func aheadOfTheRelay() throws {
        let hours: UInt64 = 5 * 3600
        for voucher in [nil, 3600] as [UInt64?] {
            var granted = ReserveRequest.Granted(
                expires: 3600 + hours + Limits.skewedReservation, addresses: [], limit: nil)
            granted.isSkewed = true
            #expect(try Self.granted(3600, voucher: voucher, at: 3600 + hours) == .reserved(granted))
        }
    }

    @Test("A grant of yesterday, and an old voucher in a fresh grant, are over")
    func expired() throws {
        #expect(try Self.granted(3600, voucher: 3600, at: 3601 + Limits.clockSkew) == .failed(.expired))
        #expect(try Self.granted(9000, voucher: 5000, at: 6000) == .failed(.voucher(.expired)))
        // By a clock that is ahead, the grant is over, but its voucher was so long before.
        #expect(try Self.granted(9000, voucher: 5000, at: 9500) == .failed(.voucher(.expired)))
    }

    @Test func silenceAndEndsFail() throws {
        var machine = try Self.reserve()
        #expect(machine.timedOut(now: Self.now) == .none)
        #expect(machine.timedOut(now: Self.now + Limits.reserveTimeout) == .failed(.timedOut))
        machine = try Self.reserve()
        #expect(machine.closed(isRefused: true) == .failed(.unsupported))
        #expect(machine.closed(isRefused: true) == .none)
    }

    // MARK: Connect, both ways

    @Test(arguments: [1, 7, 10_000])
    func bytesBehindTheAnswerBelongToTheCircuit(size: Int) throws {
        var ok = HopMessage.status(.ok)
        ok.limit = RelayLimit(seconds: 9, bytes: 10)
        var circuit = CircuitRequest(now: Self.now)
        var inbox = ByteBuffer()
        var actions: [CircuitRequest.Action] = []
        for var piece in Fixture.pieces(Self.glued(ok.frame()), of: size) {
            inbox.writeBuffer(&piece)
            actions.append(circuit.received(&inbox))
        }
        #expect(actions.filter { $0 != .none } == [.opened(RelayLimit(seconds: 9, bytes: 10))])
        #expect(inbox == Self.behind)
        var stop = StopRequest(now: Self.now)
        inbox = Self.glued(StopMessage.status(.ok).frame())
        #expect(stop.received(&inbox) == .opened)
        #expect(stop.received(&inbox) == .none)
        #expect(inbox == Self.behind)
    }

    @Test func aRefusedCircuitSaysWhy() {
        for status in [RelayStatus.noReservation, .connectionFailed, RelayStatus(code: 7)] {
            var circuit = CircuitRequest(now: Self.now)
            var inbox = HopMessage.status(status).frame()
            #expect(circuit.received(&inbox) == .failed(.refused(status)))
            var stop = StopRequest(now: Self.now)
            inbox = StopMessage.status(status).frame()
            #expect(stop.received(&inbox) == .failed(.refused(status)))
        }
    }

    @Test func circuitsThatAreNotAnsweredEnd() {
        var circuit = CircuitRequest(now: Self.now)
        #expect(circuit.timedOut(now: Self.now + Limits.circuitTimeout) == .failed(.timedOut))
        circuit = CircuitRequest(now: Self.now)
        #expect(circuit.closed(isRefused: false) == .failed(.closed))
        var stop = StopRequest(now: Self.now)
        #expect(stop.timedOut(now: Self.now + Limits.stopTimeout) == .failed(.timedOut))
        stop = StopRequest(now: Self.now)
        #expect(stop.closed(isRefused: true) == .failed(.unsupported))
    }

    @Test(arguments: ["0401020304", "ff7f", "8080808080808080808001", "021207"])
    func garbageFailsEveryRequest(hex: String) throws {
        let bytes = ByteBuffer(bytes: Fixture.bytes(hex: hex))
        var (first, second, third) = (bytes, bytes, bytes)
        var circuit = CircuitRequest(now: Self.now)
        guard case .failed = circuit.received(&first) else { throw Failed() }
        var stop = StopRequest(now: Self.now)
        guard case .failed = stop.received(&second) else { throw Failed() }
        var reserve = try Self.reserve()
        guard case .failed = reserve.received(&third, unixSeconds: 0) else { throw Failed() }
    }
    private struct Failed: Error {}

    // MARK: The answering sides

    @Test(arguments: [1, 5, 10_000])
    func theRelayHearsWhatIsAsked(size: Int) throws {
        var reserve = HopResponder(now: Self.now)
        #expect(
            Fixture.feed(HopMessage(.reserve).frame(), by: size, none: .none) { reserve.received(&$0) } == [.reserve])
        let peer = try Fixture.peer(9)
        var connect = HopResponder(now: Self.now)
        var inbox = ByteBuffer()
        var actions: [HopResponder.Action] = []
        for var piece in Fixture.pieces(Self.glued(CircuitRequest.opening(to: peer)), of: size) {
            inbox.writeBuffer(&piece)
            actions.append(connect.received(&inbox))
        }
        #expect(actions.filter { $0 != .none } == [.connect(peer)])
        #expect(inbox == Self.behind)
    }

    @Test func wrongRequestsAreAnsweredByTheirStatus() {
        var connect = HopMessage(.connect)
        var odd = HopMessage(.reserve)
        odd.kind = nil
        let table: [(ByteBuffer, RelayStatus)] = [
            (connect.frame(), .malformedMessage), (HopMessage.status(.ok).frame(), .unexpectedMessage),
            (odd.frame().readableBytes > 1 ? odd.frame() : ByteBuffer(bytes: [2, 8, 9]), .unexpectedMessage),
            (ByteBuffer(bytes: [3, 8, 1, 0x12]), .malformedMessage),
            (ByteBuffer(bytes: [0xFF, 0x7F]), .malformedMessage),
        ]
        for (bytes, status) in table {
            var machine = HopResponder(now: Self.now)
            var inbox = bytes
            #expect(machine.received(&inbox) == .refuse(HopMessage.status(status).frame()))
            #expect(machine.closed() == .none)
        }
        connect.kind = .connect
        let stops: [(ByteBuffer, RelayStatus)] = [
            (StopMessage(.connect).frame(), .malformedMessage), (StopMessage.status(.ok).frame(), .unexpectedMessage),
            (ByteBuffer(bytes: [2, 8, 9]), .unexpectedMessage),
            (ByteBuffer(bytes: [6, 8, 0, 0x12, 2, 0x0A, 9]), .malformedMessage),
        ]
        for (bytes, status) in stops {
            var machine = StopResponder(now: Self.now)
            var inbox = bytes
            #expect(machine.received(&inbox) == .refuse(StopMessage.status(status).frame()))
        }
    }

    @Test func aCircuitComesWithItsPeerAndItsBytes() throws {
        var machine = StopResponder(now: Self.now)
        let limit = RelayLimit(seconds: 1, bytes: 0)
        var inbox = Self.glued(StopRequest.opening(from: try Fixture.peer(4), limit: limit))
        #expect(machine.received(&inbox) == .connect(try Fixture.peer(4), limit))
        #expect(machine.received(&inbox) == .none)
        #expect(inbox == Self.behind)
    }

    @Test func whoAsksNothingIsNotWaitedFor() {
        var hop = HopResponder(now: Self.now)
        #expect(hop.timedOut(now: Self.now) == .none)
        #expect(hop.timedOut(now: hop.deadline) == .end)
        hop = HopResponder(now: Self.now)
        #expect(hop.closed() == .end)
        var stop = StopResponder(now: Self.now)
        #expect(stop.timedOut(now: stop.deadline) == .end)
        stop = StopResponder(now: Self.now)
        #expect(stop.closed() == .end)
    }
}
