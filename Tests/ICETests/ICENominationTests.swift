import NIOCore
import Testing
import Wire

@testable import ICE

/// What single packets do to an agent: nominations, conflicts, answers from the wrong place.
@Suite struct ICENominationTests {
    private func selections(_ outputs: [ICEOutput]) -> [ICEPath] {
        outputs.compactMap { if case .selected(let path) = $0 { path } else { nil } }
    }

    @Test func aControlledAgentSelectsWhatIsNominatedAndValid() {
        let opponent = Opponent()
        // Nominated first, valid later …
        let first = opponent.takeRequests()
        #expect(first.count == 1)
        opponent.handle(.received(opponent.check(nominating: true), on: opponent.path))
        #expect(selections(opponent.taken()).isEmpty)
        for (message, path) in first { opponent.handle(.received(opponent.answer(message, on: path), on: path)) }
        #expect(selections(opponent.taken()) == [opponent.path])
        // … or the other way round.
        let second = Opponent()
        second.answerAll()
        #expect(selections(second.taken()).isEmpty)
        second.handle(.received(second.check(nominating: true), on: second.path))
        #expect(selections(second.taken()) == [second.path])
        #expect(second.agent.statistics.state == .connected)
    }

    /// An old controlling agent nominates everything at once: the best pair counts.
    @Test func ofAggressiveNominationsTheBestCounts() {
        for order in [["192.0.2.1:1", "192.0.2.2:1"], ["192.0.2.2:1", "192.0.2.1:1"]] {
            let opponent = Opponent(bases: ["192.0.2.2:1"])
            opponent.wait(.milliseconds(60))
            opponent.answerAll()
            for base in order {
                let path = ICEPath(local: address(base), remote: opponent.path.remote)
                opponent.handle(.received(opponent.check(nominating: true), on: path))
                opponent.now = opponent.now + .milliseconds(50)
            }
            #expect(opponent.agent.statistics.selected?.local == address("192.0.2.1:1"))
        }
    }

    /// A controlling agent that changes its mind later is followed, to a worse pair too; a retransmission of what it
    /// said before is not the newest word.
    @Test func theNewestNominationIsFollowed() {
        let opponent = Opponent(bases: ["192.0.2.2:1"])
        opponent.wait(.milliseconds(60))
        opponent.answerAll()
        let worse = ICEPath(local: address("192.0.2.2:1"), remote: opponent.path.remote)
        let firstWord = opponent.check(nominating: true)
        opponent.handle(.received(firstWord, on: opponent.path))
        opponent.wait(.seconds(2))
        opponent.answerAll()
        opponent.handle(.received(opponent.check(nominating: true), on: worse))
        #expect(opponent.agent.statistics.selected == worse)
        opponent.handle(.received(firstWord, on: opponent.path))
        #expect(opponent.agent.statistics.selected == worse)
        opponent.handle(.received(opponent.check(nominating: true), on: opponent.path))
        #expect(opponent.agent.statistics.selected == opponent.path)
    }

    /// The remote moved without a word: traffic from where its latest check came from is followed, in another's name
    /// it is not.
    @Test func trafficIsFollowedToWhereTheRemoteWasLast() {
        let opponent = Opponent(bases: ["192.0.2.2:1"])
        opponent.wait(.milliseconds(60))
        opponent.answerAll()
        opponent.handle(.received(opponent.check(nominating: true), on: opponent.path))
        let other = ICEPath(local: address("192.0.2.2:1"), remote: opponent.path.remote)
        opponent.now = opponent.now + .milliseconds(500)
        opponent.handle(.received(opponent.check(), on: other))
        opponent.handle(.heard(other))
        #expect(opponent.agent.statistics.selected == opponent.path)
        opponent.now = opponent.now + .seconds(2)
        opponent.handle(.heard(other))
        #expect(opponent.agent.statistics.selected == other)
        opponent.now = opponent.now + .seconds(2)
        opponent.handle(.heard(opponent.path))
        #expect(opponent.agent.statistics.selected == other)
    }

    @Test func aControllingAgentNominatesByOneMoreCheck() {
        let opponent = Opponent(role: .controlling)
        let first = opponent.takeRequests()
        #expect(first.map(\.message.usesCandidate) == [false])
        opponent.handle(.received(opponent.answer(first[0].message, on: opponent.path), on: opponent.path))
        let second = opponent.takeRequests()
        #expect(second.map(\.message.usesCandidate) == [true])
        #expect(opponent.agent.statistics.state == .checking)
        opponent.handle(.received(opponent.answer(second[0].message, on: opponent.path), on: opponent.path))
        #expect(opponent.agent.statistics.selected == opponent.path)
        // USE-CANDIDATE of a controlled remote means nothing.
        let other = opponent.path(to: "198.51.100.9:9")
        opponent.handle(.received(opponent.check(nominating: true), on: other))
        opponent.answerAll()
        #expect(opponent.agent.statistics.selected == opponent.path)
    }

    @Test func anOnlyPairCanBeNominatedByItsFirstCheck() {
        let opponent = Opponent(role: .controlling, configuration: .direct)
        let first = opponent.takeRequests()
        #expect(first.map(\.message.usesCandidate) == [true])
        opponent.handle(.received(opponent.answer(first[0].message, on: opponent.path), on: opponent.path))
        #expect(opponent.agent.statistics.selected == opponent.path)
        #expect(opponent.agent.statistics.roundTrip != nil)
    }

    /// Two valid pairs, the better one late: it is waited for, not for long.
    @Test func theNominationWaitsForABetterPairButNotForLong() {
        for answersBest in [true, false] {
            let opponent = Opponent(role: .controlling, bases: ["192.0.2.2:1"])
            opponent.wait(.milliseconds(60))
            let requests = opponent.takeRequests()
            let worse = requests.first { $0.path.local == address("192.0.2.2:1") }
            let best = requests.first { $0.path == opponent.path }
            guard let worse, let best else {
                Issue.record("both pairs are checked")
                return
            }
            opponent.handle(.received(opponent.answer(worse.message, on: worse.path), on: worse.path))
            #expect(opponent.takeRequests().isEmpty)
            opponent.wait(.milliseconds(100))
            #expect(!opponent.takeRequests().contains { $0.message.usesCandidate })
            if answersBest { opponent.handle(.received(opponent.answer(best.message, on: best.path), on: best.path)) }
            opponent.wait(.milliseconds(100))
            let nominations = opponent.takeRequests().filter { $0.message.usesCandidate }
            #expect(nominations.map(\.path).first == (answersBest ? best.path : worse.path))
        }
    }

    // MARK: Roles

    @Test(arguments: [ICERole.controlling, .controlled], [UInt64.min, .max])
    func aConflictIsWonByTheLargerTieBreaker(role: ICERole, tieBreaker: UInt64) {
        let opponent = Opponent(role: role)
        _ = opponent.taken()
        opponent.handle(.received(opponent.check(role: role, tieBreaker: tieBreaker), on: opponent.path))
        let outputs = opponent.takeMessages(tieBreaker == .min && role == .controlling ? .error : .success)
        // Controlling: the larger stays. Controlled: the larger becomes controlling.
        switch (role, tieBreaker == .max) {
        case (.controlling, false):
            #expect(outputs.first?.message.errorCode?.number == 487)
            #expect(outputs.first?.message.isAuthentic(by: STUNKey(password: opponent.ours.password)) == true)
            #expect(opponent.agent.statistics.role == .controlling)
        case (.controlling, true): #expect(outputs.count == 1 && opponent.agent.statistics.role == .controlled)
        case (.controlled, false): #expect(outputs.count == 1 && opponent.agent.statistics.role == .controlling)
        case (.controlled, true): #expect(outputs.isEmpty && opponent.agent.statistics.role == .controlled)
        }
    }

    @Test func anAuthenticConflictErrorChangesTheRoleOnce() {
        let opponent = Opponent(role: .controlling)
        let requests = opponent.takeRequests()
        let error = STUNMessage(
            .error, transaction: requests[0].message.transaction, attributes: [.errorCode(.roleConflict)])
        // Without the password it is nothing.
        for forged in [error.encoded(), error.encoded(key: STUNKey(password: opponent.ours.password))] {
            opponent.handle(.received(forged, on: opponent.path))
            #expect(opponent.agent.statistics.role == .controlling)
        }
        let authentic = error.encoded(key: STUNKey(password: opponent.theirs.password))
        opponent.handle(.received(authentic, on: opponent.path))
        #expect(opponent.agent.statistics.role == .controlled)
        let again = opponent.takeRequests()
        #expect(again.count == 1 && again[0].message.iceControlled != nil)
        #expect(again[0].message.iceControlled != requests[0].message.iceControlling)
        opponent.handle(.received(authentic, on: opponent.path))
        #expect(opponent.agent.statistics.role == .controlled)
    }

    // MARK: What is not believed

    @Test func requestsThatAreNotForUsAreDroppedInSilence() throws {
        let opponent = Opponent()
        _ = opponent.taken()
        let good = "\(opponent.ours.ufrag):\(opponent.theirs.ufrag)"
        let bare = STUNMessage(
            .request, transaction: STUNTransactionID(from: &opponent.entropy), attributes: [.username(good)])
        let bad: [ByteBuffer] = [
            opponent.check(password: opponent.theirs.password), opponent.check(username: opponent.ours.ufrag),
            opponent.check(username: "\(opponent.theirs.ufrag):\(opponent.ours.ufrag)"),
            opponent.check(username: good + "x"), opponent.check(username: "x" + good), opponent.check(username: ""),
            opponent.check(username: ":" + good), opponent.check(username: opponent.ours.ufrag + ":"),
            bare.encoded(), STUNMessage(.request, transaction: STUNTransactionID(from: &opponent.entropy)).encoded(),
            STUNMessage(.indication, transaction: STUNTransactionID(from: &opponent.entropy)).encoded(),
            STUNMessage(
                .request, .init(rawValue: 3), transaction: STUNTransactionID(from: &opponent.entropy),
                attributes: [.username(good)]
            ).encoded(key: STUNKey(password: opponent.ours.password)),
        ]
        for bytes in bad {
            for path in [opponent.path, opponent.path(to: "203.0.113.5:5")] {
                let pairs = opponent.agent.statistics.pairs
                opponent.handle(.received(bytes, on: path))
                #expect(opponent.taken().isEmpty)
                #expect(opponent.agent.statistics.pairs == pairs)
            }
        }
        // Not our base.
        let elsewhere = ICEPath(local: address("192.0.2.99:1"), remote: opponent.path.remote)
        opponent.handle(.received(opponent.check(), on: elsewhere))
        #expect(opponent.taken().isEmpty)
    }

    @Test func unknownRequiredAttributesAreRefusedByName() {
        let opponent = Opponent()
        _ = opponent.taken()
        let type = STUNAttributeType(rawValue: 0x7FFF)
        let optional = STUNAttribute.raw(.init(rawValue: 0xC057), ByteBuffer(bytes: [1, 2, 3, 4]))
        let extra: [STUNAttribute] = [.raw(type, ByteBuffer(bytes: [1])), optional]
        opponent.handle(.received(opponent.check(extra: extra), on: opponent.path))
        let answers = opponent.takeMessages(.error)
        #expect(answers.first?.message.errorCode?.number == 420)
        #expect(answers.first?.message.attributes.contains(.unknownAttributes([type])) == true)
        #expect(opponent.agent.statistics.checksAnswered == 0)
        opponent.handle(.received(opponent.check(extra: [optional]), on: opponent.path))
        #expect(opponent.takeMessages(.success).count == 1)
        // And nothing at all without the password.
        opponent.handle(.received(opponent.check(extra: extra, password: "guessed"), on: opponent.path))
        #expect(opponent.taken().isEmpty)
    }

    @Test func responsesCountFromTheRightPlaceWithTheRightKeyOnly() {
        let opponent = Opponent(role: .controlling)
        guard let (message, path) = opponent.takeRequests().first else {
            Issue.record("a check leaves at once")
            return
        }
        let good = opponent.answer(message, on: path)
        let other = STUNMessage(.success, transaction: STUNTransactionID(from: &opponent.entropy)).encoded()
        let noAddress = STUNMessage(.success, transaction: message.transaction)
            .encoded(key: STUNKey(password: opponent.theirs.password))
        let bare = STUNMessage(
            .success, transaction: message.transaction, attributes: [.xorMappedAddress(path.local)])
        let wrong: [(ByteBuffer, ICEPath)] = [
            (good, opponent.path(to: "203.0.113.7:7")), (good, opponent.path(to: "198.51.100.1:3")),
            (good, ICEPath(local: address("192.0.2.1:2"), remote: path.remote)),
            (opponent.answer(message, on: path, password: opponent.ours.password), path),
            (other, path), (noAddress, path), (bare.encoded(), path),
        ]
        for (bytes, path) in wrong {
            opponent.handle(.received(bytes, on: path))
            #expect(opponent.taken().isEmpty)
        }
        #expect(opponent.agent.statistics.responsesReceived == 0)
        opponent.handle(.received(good, on: path))
        #expect(opponent.agent.statistics.responsesReceived == 1)
        #expect(opponent.taken().contains(.usable(path)))
        // The same again answers nothing.
        opponent.handle(.received(good, on: path))
        #expect(opponent.agent.statistics.responsesReceived == 1)
    }

    /// A request that was seen on its way and sent again from elsewhere moves nothing there.
    @Test func aCopiedRequestFromElsewhereIsDropped() {
        let opponent = Opponent()
        opponent.answerAll()
        let check = opponent.check(nominating: true)
        opponent.handle(.received(check, on: opponent.path))
        _ = opponent.taken()
        opponent.handle(.received(check, on: opponent.path(to: "203.0.113.7:7")))
        #expect(opponent.taken().isEmpty)
        #expect(opponent.agent.statistics.selected == opponent.path)
        // A retransmission is answered.
        opponent.handle(.received(check, on: opponent.path))
        #expect(opponent.takeMessages(.success).count == 1)
    }

    @Test func anErrorEndsTheCheckAndItIsTriedAgainLater() {
        let opponent = Opponent(role: .controlling)
        var asked = 0
        while opponent.agent.statistics.state != .failed, asked < 1000 {
            for (message, path) in opponent.takeRequests() {
                asked += 1
                let error = STUNMessage(
                    .error, transaction: message.transaction, attributes: [.errorCode(STUNErrorCode(500, "no"))])
                opponent.handle(.received(error.encoded(key: STUNKey(password: opponent.theirs.password)), on: path))
            }
            opponent.wait(.milliseconds(10))
        }
        #expect(opponent.agent.statistics.state == .failed)
        #expect((30...70).contains(asked))
    }
}
