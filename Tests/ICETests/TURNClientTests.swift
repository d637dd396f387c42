import NIOCore
import OrderedCollections
import Testing
import Wire

@testable import ICE

/// A TURN client against a server that plays by the rules, or not.
@Suite struct TURNClientTests {
    private typealias Play = TURNServerPlay

    // MARK: Allocating

    @Test func anAllocationTakesTwoRoundTrips() throws {
        var play = Play()
        #expect(play.client.isPending && play.client.deadline == .distantFuture)
        play.handle(.start)
        let first = try #require(play.takeMessages().first)
        #expect(first.method == .allocate && !first.hasIntegrity && first.username == nil)
        #expect(first.attributes == [.requestedTransport(17)])
        play.answer(first, .error, Play.refusal(401), key: nil)
        let second = try #require(play.takeMessages().first)
        #expect(second.username == "ada" && second.realm == Play.realm && second.nonce == "n1")
        #expect(second.isAuthentic(by: play.key) && second.transaction != first.transaction)
        play.answer(second, .success, Play.allocation, key: play.key)
        #expect(play.taken() == [.allocated(relayed: Play.relayed, mapped: Play.mapped)])
        #expect(play.client.relayed == Play.relayed && !play.client.isPending)
        #expect(play.client.deadline == play.now + .seconds(540))
    }

    @Test func aServerOfVersionSixIsAskedForItsOwnFamily() throws {
        let server = TransportAddress(try #require(IPAddress("2001:db8::9")), port: 3478)
        var play = Play(server: server)
        play.handle(.start)
        #expect(play.takeMessages().first?.attributes == [.requestedTransport(17), .requestedAddressFamily(2)])
    }

    /// Every status code there is, on each of the two requests.
    @Test(arguments: [300, 400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 446, 447, 486, 500, 508] as [UInt16])
    func aRefusedAllocationEndsWithItsReason(number: UInt16) throws {
        // Before it knows who we are, every answer but 401 is the end.
        if number != 401 {
            var play = Play()
            play.handle(.start)
            play.answer(try #require(play.takeMessages().first), .error, Play.refusal(number), key: nil)
            #expect(play.taken() == [.ended(.refused(STUNErrorCode(number, "no")))])
            #expect(play.client.deadline == .distantFuture)
        }
        var play = Play()
        play.handle(.start)
        play.answerAll()
        for _ in 0..<10 where !play.outputs.contains(where: { if case .ended = $0 { true } else { false } }) {
            play.answerAll(number)
        }
        let expected: TURNError = number == 401 ? .unauthorized : .refused(STUNErrorCode(number, "no"))
        #expect(play.taken().last == .ended(expected))
        play.handle(.start)
        play.handle(.send(Play.traffic, to: Play.peer))
        play.handle(.close)
        #expect(play.taken().isEmpty)
    }

    @Test func whatStandsInTheWayIsGivenBackOnce() throws {
        var play = Play()
        play.handle(.start)
        play.answerAll()
        play.answerAll(437)
        let clearing = try #require(play.takeMessages().first)
        #expect(clearing.method == .refresh && clearing.lifetime == 0 && clearing.isAuthentic(by: play.key))
        play.answer(clearing, .success, [.lifetime(0)], key: play.key)
        play.answerAll()
        #expect(play.taken() == [.allocated(relayed: Play.relayed, mapped: Play.mapped)])
    }

    @Test func aStaleNonceIsReplacedWhereverItMeetsUs() throws {
        for standing in 0...2 {
            var play = standing == 0 ? Play() : standing == 1 ? Play.allocated() : Play.bound()
            switch standing {
            case 0:
                play.handle(.start)
                play.answerAll()
            case 1: play.handle(.send(Play.check, to: Play.peer))
            default: play.wait(.seconds(540))
            }
            let request = try #require(play.takeMessages().first { $0.messageClass == .request })
            play.answer(request, .error, Play.refusal(438, nonce: "n2"), key: nil)
            let again = try #require(play.takeMessages().first)
            #expect(again.method == request.method && again.nonce == "n2" && again.isAuthentic(by: play.key))
        }
    }

    @Test func noncesThatNeverSatisfyAreGivenUp() {
        var play = Play()
        play.handle(.start)
        play.answerAll()
        for _ in 0..<Limits.turnStaleNonces { play.answerAll(438) }
        #expect(play.takeMessages().count == 1)
        play = Play.allocated()
        play.handle(.send(Play.check, to: Play.peer))
        for _ in 0...Limits.turnStaleNonces { play.answerAll(438) }
        // A permission that cannot be had ends nothing else.
        #expect(play.taken().isEmpty && play.client.relayed != nil)
    }

    @Test func aSilentServerIsAskedSevenTimes() {
        var play = Play()
        play.handle(.start)
        var times: [Int64] = []
        let start = play.now
        while play.client.deadline < .distantFuture {
            play.now = play.client.deadline
            play.handle(.tick)
            times.append((play.now - start).nanoseconds / 1_000_000)
        }
        #expect(times == [500, 1500, 3500, 7500, 15_500, 31_500, 39_500])
        let outputs = play.taken()
        #expect(outputs.count == 8 && Set(outputs.dropLast()).count == 1)
        #expect(outputs.last == .ended(.timeout))
    }

    @Test func overTCPNothingIsSentTwice() {
        var play = Play(.tcp)
        play.handle(.start)
        play.wait(.seconds(60))
        let outputs = play.taken()
        #expect(outputs.count == 2 && outputs.last == .ended(.timeout))
    }

    @Test(
        arguments: [
            [], [.lifetime(600)], [.xorRelayedAddress(TURNServerPlay.relayed)],
            [.xorRelayedAddress(TURNServerPlay.relayed), .lifetime(0)],
            [.xorRelayedAddress(TransportAddress(.v4(IPv4Address(0)), port: 1)), .lifetime(600)],
            [.xorRelayedAddress(TransportAddress(.v4(IPv4Address(0xE000_0001)), port: 1)), .lifetime(600)],
            [.xorRelayedAddress(TransportAddress(.v4(IPv4Address(0xCB00_7109)), port: 0)), .lifetime(600)],
        ] as [[STUNAttribute]])
    func aYesWithoutWhatBelongsToItIsNone(attributes: [STUNAttribute]) throws {
        var play = Play()
        play.handle(.start)
        play.answerAll()
        play.answer(try #require(play.takeMessages().first), .success, attributes, key: play.key)
        #expect(play.taken() == [.ended(.malformed)])
    }

    @Test func aChallengeWithoutRealmOrNonceIsNone() throws {
        for attributes in [Play.refusal(401, nonce: nil), Play.refusal(401, realm: nil)] {
            var play = Play()
            play.handle(.start)
            play.answer(try #require(play.takeMessages().first), .error, attributes, key: nil)
            #expect(play.taken() == [.ended(.malformed)])
        }
    }

    // MARK: Whom it believes

    @Test func answersOfOthersAreDropped() throws {
        var play = Play()
        play.handle(.start)
        play.answerAll()
        let request = try #require(play.takeMessages().first)
        // Not signed, signed by somebody else, of another transaction, of another method.
        play.answer(request, .success, Play.allocation, key: nil)
        play.answer(request, .success, Play.allocation, key: STUNKey(password: "secret"))
        play.answer(request, .error, Play.refusal(486), key: nil)
        let other = STUNMessage(.request, .allocate, transaction: STUNTransactionID(high: 9, low: 9))
        play.answer(other, .success, Play.allocation, key: play.key)
        let method = STUNMessage(.request, .refresh, transaction: request.transaction)
        play.answer(method, .success, [.lifetime(600)], key: play.key)
        #expect(play.taken().isEmpty)
        play.answer(request, .success, Play.allocation, key: play.key)
        #expect(play.client.relayed == Play.relayed)
        // The same once more is nobody's answer.
        play.outputs = []
        play.answer(request, .success, Play.allocation, key: play.key)
        #expect(play.taken().isEmpty)
    }

    @Test func dataOfStrangersIsDropped() {
        var play = Play.bound()
        let stranger = TransportAddress(.v4(IPv4Address(0xC000_0299)), port: 7000)
        play.handle(.received(Play.dataIndication(Play.traffic, from: stranger)))
        play.handle(.received(ChannelData(number: 0x4001, bytes: Play.traffic).encoded(padded: false)))
        #expect(play.taken().isEmpty)
        // Another port of a permitted address is permitted: so are permissions made.
        let neighbour = TransportAddress(Play.peer.ip, port: 9)
        play.handle(.received(Play.dataIndication(Play.traffic, from: neighbour)))
        play.handle(.received(ChannelData(number: 0x4000, bytes: Play.traffic).encoded(padded: false)))
        #expect(play.taken() == [.received(Play.traffic, from: neighbour), .received(Play.traffic, from: Play.peer)])
        // Not when the permission is over.
        play.wait(.seconds(301))
        play.outputs = []
        play.handle(.received(Play.dataIndication(Play.traffic, from: neighbour)))
        #expect(play.taken().isEmpty)
    }

    @Test func bytesThatAreNothingChangeNothing() throws {
        var entropy = Entropy.seeded(5)
        var play = Play.bound()
        let good = [
            Play.dataIndication(Play.traffic, from: Play.peer),
            ChannelData(number: 0x4000, bytes: Play.traffic).encoded(padded: false),
            STUNMessage(.success, .refresh, transaction: STUNTransactionID(high: 1, low: 1)).encoded(key: play.key),
        ]
        for _ in 0..<3000 {
            var bytes = Array(good[Int(entropy.next() % 3)].readableBytesView)
            for _ in 0...entropy.next() % 4 {
                bytes[Int(entropy.next() % UInt64(bytes.count))] ^= UInt8(1) << UInt8(entropy.next() % 8)
            }
            if entropy.next().isMultiple(of: 3) { bytes.removeLast(Int(entropy.next() % UInt64(bytes.count))) }
            play.handle(.received(ByteBuffer(bytes: bytes)))
            for output in play.taken() {
                guard case .received(_, let peer) = output else {
                    Issue.record("\(output)")
                    continue
                }
                #expect(peer.ip == Play.peer.ip)
            }
        }
        play.handle(.received(ByteBuffer()))
        #expect(play.client.relayed == Play.relayed)
    }

    // MARK: Permissions and channels

    @Test func dataWaitsForItsPermission() throws {
        var play = Play.allocated()
        for _ in 0..<10 { play.handle(.send(Play.check, to: Play.peer)) }
        let asked = play.takeMessages()
        #expect(asked.map(\.method) == [.createPermission])
        #expect(asked.first?.xorPeerAddress?.ip == Play.peer.ip)
        play.answer(try #require(asked.first), key: play.key)
        let sent = play.takeMessages()
        #expect(sent.count == Limits.turnHeldDatagrams)
        #expect(sent.allSatisfy { $0.method == .send && $0.messageClass == .indication && !$0.hasIntegrity })
        #expect(sent.allSatisfy { $0.xorPeerAddress == Play.peer && $0.data == Play.check })
        // Checks ask for no channel.
        play.handle(.send(Play.check, to: Play.peer))
        #expect(play.takeMessages().map(\.method) == [.send])
    }

    @Test(arguments: [TURNServer.Transport.udp, .tcp])
    func trafficGetsAChannel(transport: TURNServer.Transport) throws {
        var play = Play.allocated(transport)
        play.handle(.send(Play.traffic, to: Play.peer))
        play.answerAll()
        let messages = play.takeMessages()
        let bind = try #require(messages.first { $0.method == .channelBind })
        #expect(bind.channelNumber == 0x4000 && bind.xorPeerAddress == Play.peer)
        #expect(messages.contains { $0.method == .send && $0.data == Play.traffic })
        play.handle(.send(Play.traffic, to: Play.peer))
        #expect(play.takeMessages().map(\.method) == [.send])
        play.answer(bind, key: play.key)
        play.handle(.send(Play.traffic, to: Play.peer))
        let expected: [UInt8] = [0x40, 0, 0, 5, 22, 1, 2, 3, 4] + (transport == .tcp ? [0, 0, 0] : [])
        #expect(play.taken() == [.send(ByteBuffer(bytes: expected))])
    }

    @Test func aRefusedChannelIsDoneWithout() {
        var play = Play.allocated()
        play.handle(.send(Play.traffic, to: Play.peer))
        play.answerAll()
        play.answerAll(508)
        for _ in 0..<3 { play.handle(.send(Play.traffic, to: Play.peer)) }
        #expect(play.takeMessages().map(\.method) == [.send, .send, .send])
    }

    @Test(arguments: [400, 403, 443, 508] as [UInt16])
    func aRefusedPermissionIsNotAskedForAgainSoon(number: UInt16) {
        var play = Play.allocated()
        play.handle(.send(Play.check, to: Play.peer))
        play.answerAll(number)
        for _ in 0..<5 { play.handle(.send(Play.check, to: Play.peer)) }
        #expect(play.taken().isEmpty)
        play.wait(.seconds(301))
        play.handle(.send(Play.check, to: Play.peer))
        #expect(play.takeMessages().map(\.method) == [.createPermission])
    }

    @Test func permissionsAndChannelsHaveTheirLimits() {
        var play = Play.allocated()
        for number in 0..<UInt32(Limits.turnPermissions + 50) {
            play.handle(.send(Play.traffic, to: TransportAddress(.v4(IPv4Address(0xC000_0000 + number)), port: 7)))
        }
        #expect(play.takeMessages().count == Limits.turnPermissions)
        var other = Play.allocated()
        for port in UInt16(1)...UInt16(Limits.turnChannels + 20) {
            other.handle(.send(Play.traffic, to: TransportAddress(Play.peer.ip, port: port)))
            other.answerAll()
        }
        other.outputs = []
        #expect(other.client.channels.count <= Limits.turnChannels)
    }

    @Test func nobodyIsWrittenToWhoCannotBe() throws {
        var play = Play.allocated()
        let six = TransportAddress(try #require(IPAddress("2001:db8::1")), port: 1)
        play.handle(.send(Play.check, to: six))
        play.handle(.send(Play.check, to: Play.relayed))
        play.handle(.send(ByteBuffer(), to: Play.peer))
        play.handle(.send(ByteBuffer(repeating: 22, count: 5000), to: Play.peer))
        #expect(play.taken().isEmpty)
        var early = Play()
        early.handle(.send(Play.check, to: Play.peer))
        #expect(early.taken().isEmpty)
    }

    // MARK: Time

    @Test func whatIsUsedIsRenewedAndWhatIsNotIsForgotten() {
        var play = Play.bound()
        // Nothing is sent: permission and channel lapse, the allocation does not.
        var methods: [STUNMessage.Method] = []
        for _ in 0..<1300 {
            play.wait(.seconds(1))
            for message in play.takeMessages() where message.messageClass == .request {
                methods.append(message.method)
                play.answer(message, .success, message.method == .refresh ? [.lifetime(600)] : [], key: play.key)
            }
        }
        #expect(methods == [.refresh, .refresh])
        #expect(play.client.channels.isEmpty && play.client.permissions.isEmpty)

        play = Play.bound()
        methods = []
        for _ in 0..<1100 {
            play.wait(.seconds(1))
            play.handle(.send(Play.traffic, to: Play.peer))
            for message in play.takeMessages() where message.messageClass == .request {
                methods.append(message.method)
                play.answer(message, .success, message.method == .refresh ? [.lifetime(600)] : [], key: play.key)
            }
        }
        #expect(methods.count { $0 == .channelBind } == 2)
        #expect(methods.count { $0 == .createPermission } >= 3)
        play.handle(.send(Play.traffic, to: Play.peer))
        #expect(play.taken() == [.send(ChannelData(number: 0x4000, bytes: Play.traffic).encoded(padded: false))])
    }

    @Test(
        arguments: [(1, 500), (2, 1000), (30, 15_000), (100, 50_000), (600, 540_000), (.max, 3_540_000)]
            as [(UInt32, Int64)])
    func theAllocationIsRefreshedInTime(lifetime: UInt32, milliseconds: Int64) throws {
        var play = Play()
        play.handle(.start)
        play.answerAll()
        let request = try #require(play.takeMessages().first)
        play.answer(request, .success, [.xorRelayedAddress(Play.relayed), .lifetime(lifetime)], key: play.key)
        #expect(play.client.deadline == play.now + .milliseconds(milliseconds))
        play.outputs = []
        play.wait(.milliseconds(milliseconds))
        #expect(play.takeMessages().map(\.method) == [.refresh])
    }

    @Test(
        arguments: [(437, TURNError.lost), (403, .refused(STUNErrorCode(403, "no"))), (401, .unauthorized)]
            as [(UInt16, TURNError)])
    func anAllocationThatCannotBeRefreshedIsLost(number: UInt16, error: TURNError) {
        var play = Play.allocated()
        play.wait(.seconds(540))
        play.answerAll(number)
        #expect(play.taken() == [.ended(error)])
        play = Play.allocated()
        play.wait(.seconds(600))
        #expect(play.taken().last == .ended(.timeout))
    }

    @Test func atTheEndTheAllocationIsGivenBack() throws {
        var play = Play.bound()
        play.handle(.close)
        let outputs = play.outputs
        let last = try #require(play.takeMessages().first)
        #expect(last.method == .refresh && last.lifetime == 0 && last.isAuthentic(by: play.key))
        #expect(outputs.last == .ended(nil) && outputs.count == 2)
        #expect(play.client.deadline == .distantFuture)
        var early = Play()
        early.handle(.close)
        #expect(early.taken() == [.ended(nil)])
    }
}
