import ICE
import NIOCore
import PlainEngines
import Testing
import Wire

@testable import WebRTC

/// From nothing to channels, on a link without faults.
@Suite struct PeerConnectionTests {
    @Test(arguments: [true, false])
    func twoEndsConnectAndTellEveryStep(isLite: Bool) throws {
        let link = VirtualLink(isLite: isLite)
        try link.connect()
        for end in 0...1 {
            let outputs = link.outputs(of: end)
            #expect(link.phases(of: end).map(\.phase) == [.stun, .dtls, .sctp])
            #expect(outputs.contains(.connected(remoteFingerprint: link.ends[1 - end].localFingerprint)))
            #expect(link.states(of: end) == [.connecting, .connected])
        }
        // A round trip each for the check, the hello and INIT, and what a second check of a full remote takes.
        let time = try #require(link.events[0].first { $0.output == .state(.connected) }?.at)
        #expect(time - .uptimeNanoseconds(1_000_000_000) <= .milliseconds(isLite ? 40 : 400))
    }

    @Test func phasesAddUpToTheWholeTime() throws {
        let link = VirtualLink(LinkFaults(delay: .milliseconds(25)))
        try link.connect()
        #expect(link.phases(of: 0).map(\.took) == [.milliseconds(50), .milliseconds(50), .milliseconds(50)])
    }

    @Test func aChannelCarriesTextBinaryAndNothing() throws {
        let link = VirtualLink()
        try link.connect()
        let messages: [DataChannelMessage] = [
            .text(ByteBuffer(string: "héllo")), .binary(pattern(3000)), .text(ByteBuffer()), .binary(ByteBuffer()),
            .binary(ByteBuffer(bytes: [0])), .binary(pattern(Limits.sctpMessage)),
        ]
        let id = try link.at(0) { connection, now in
            let id = try connection.open(DataChannelOptions(label: "chat", subprotocol: "json"), now: now)
            for message in messages { try connection.send(message, on: id, now: now) }
            return id
        }
        link.run(for: .seconds(2))
        let theirs = try #require(link.ids(openedAt: 1).first)
        let isSame = link.messages(at: 1, on: theirs) == messages
        #expect(isSame)
        let info = try #require(link.infos(openedAt: 1).first)
        #expect(info.options.label == "chat" && info.options.subprotocol == "json" && info.isRemote)
        #expect(info.stream == 0 && link.infos(openedAt: 0).first?.isRemote == false)
        try link.at(1) { connection, now in
            for message in messages { try connection.send(message, on: theirs, now: now) }
        }
        link.run(for: .seconds(2))
        let isAnswered = link.messages(at: 0, on: id) == messages
        #expect(isAnswered)
        #expect(link.ends.allSatisfy { $0.unacknowledgedBytes == 0 })
    }

    @Test func channelsAskedForBeforeTheConnectionStandsOpenThen() throws {
        let link = VirtualLink()
        let ids = try (0...1).map { end in
            try link.at(end) { connection, now in
                let id = try connection.open(DataChannelOptions(label: "\(end)"), now: now)
                try connection.send(.text(ByteBuffer(string: "early")), on: id, now: now)
                return id
            }
        }
        try link.connect()
        link.run(for: .seconds(1))
        for end in 0...1 {
            #expect(link.ids(openedAt: end).contains(ids[end]))
            #expect(link.messages(at: end) == [.text(ByteBuffer(string: "early"))])
            // The DTLS client's ids are even.
            #expect(link.infos(openedAt: end).map(\.stream).sorted() == [0, 1])
            #expect(link.infos(openedAt: end).first { !$0.isRemote }?.stream == UInt16(end))
        }
    }

    @Test func aNegotiatedChannelNeedsNoAnnouncement() throws {
        let link = VirtualLink()
        var ids: [DataChannelID] = []
        for end in 0...1 {
            ids.append(
                try link.at(end) { try $0.open(DataChannelOptions(negotiatedID: 0), now: $1) })
        }
        try link.connect()
        for end in 0...1 {
            try link.at(end) { try $0.send(.binary(pattern(10, seed: UInt8(end))), on: ids[end], now: $1) }
        }
        let next = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
        link.run(for: .seconds(1))
        #expect(link.messages(at: 0) == [.binary(pattern(10, seed: 1))])
        #expect(link.messages(at: 1) == [.binary(pattern(10, seed: 0))])
        #expect(link.infos(openedAt: 1).map(\.stream) == [0, 2])
        // What 0 means stays fixed, even when it is closed: the next channel is 4.
        link.at(0) { $0.close(ids[0], now: $1) }
        link.run(for: .seconds(1))
        #expect(link.closes(at: 0) == [ids[0]] && link.closes(at: 1) == [ids[1]])
        _ = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
        link.run(for: .seconds(1))
        #expect(link.infos(openedAt: 1).map(\.stream) == [0, 2, 4])
        #expect(link.ends[0].bufferedAmount(of: next) == 0)
    }

    @Test func negotiatedIDsAreCheckedAndMoreStreamsComeOnDemand() throws {
        let link = VirtualLink { _, configuration in configuration.streams = 16 }
        let first = try link.at(0) { try $0.open(DataChannelOptions(negotiatedID: 7), now: $1) }
        for taken: UInt16 in [7, 65_535] {
            #expect(throws: DataChannelError.invalidOptions) {
                try link.at(0) { try $0.open(DataChannelOptions(negotiatedID: taken), now: $1) }
            }
        }
        try link.connect()
        var ids: [[DataChannelID]] = [[], []]
        for end in 0...1 {
            for stream: UInt16 in [500, 1001] {
                let id = try link.at(end) { try $0.open(DataChannelOptions(negotiatedID: stream), now: $1) }
                try link.at(end) { try $0.send(.text(ByteBuffer(string: "\(stream)")), on: id, now: $1) }
                ids[end].append(id)
            }
        }
        link.run(for: .seconds(2))
        for end in 0...1 {
            #expect(link.messages(at: end, on: ids[end][0]) == [.text(ByteBuffer(string: "500"))])
            #expect(link.messages(at: end, on: ids[end][1]) == [.text(ByteBuffer(string: "1001"))])
            #expect(link.ends[end].sctp?.outboundStreams ?? 0 < 1200)
        }
        link.at(0) { $0.close(first, now: $1) }
    }

    @Test func streamsAreUsedAgainOnceBothDirectionsAreReset() throws {
        let link = VirtualLink()
        try link.connect()
        for round in 0..<40 {
            let opener = round % 2
            let id = try link.at(opener) { try $0.open(DataChannelOptions(label: "\(round)"), now: $1) }
            try link.at(opener) { try $0.send(.text(ByteBuffer(string: "\(round)")), on: id, now: $1) }
            link.run(for: .milliseconds(100))
            let theirs = try #require(link.ids(openedAt: 1 - opener).last)
            #expect(link.messages(at: 1 - opener, on: theirs) == [.text(ByteBuffer(string: "\(round)"))])
            let closer = round / 2 % 2
            link.at(closer) { $0.close(closer == opener ? id : theirs, now: $1) }
            link.run(for: .milliseconds(300))
            #expect(link.closes(at: opener).last == id && link.closes(at: 1 - opener).last == theirs)
        }
        #expect(Set(link.infos(openedAt: 0).map(\.stream)) == [0, 1])
        #expect(link.ends.allSatisfy { $0.table.count == 0 && $0.orphans.isEmpty })
    }

    @Test func aChannelClosedByBothAtOnceIsGoneOnce() throws {
        let link = VirtualLink()
        try link.connect()
        let id = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
        link.run(for: .milliseconds(100))
        let theirs = try #require(link.ids(openedAt: 1).first)
        link.at(0) { $0.close(id, now: $1) }
        link.at(1) { $0.close(theirs, now: $1) }
        link.at(1) { $0.close(theirs, now: $1) }
        link.run(for: .seconds(1))
        #expect(link.closes(at: 0) == [id] && link.closes(at: 1) == [theirs])
        #expect(throws: DataChannelError.closed) {
            try link.at(0) { try $0.send(.text(ByteBuffer()), on: id, now: $1) }
        }
    }

    @Test func whatWaitsLeavesBeforeAChannelCloses() throws {
        let link = VirtualLink()
        try link.connect()
        let messages = (0..<40).map { DataChannelMessage.binary(pattern(100_000, seed: UInt8($0))) }
        let id = try link.at(0) { connection, now in
            let id = try connection.open(DataChannelOptions(), now: now)
            for message in messages { try connection.send(message, on: id, now: now) }
            connection.close(id, now: now)
            return id
        }
        #expect(link.ends[0].bufferedAmount(of: id) > 0)
        link.run(for: .seconds(10))
        let isSame = link.messages(at: 1) == messages
        #expect(isSame)
        #expect(link.closes(at: 0) == [id] && link.closes(at: 1).count == 1)
    }

    // MARK: Sending

    @Test func aFullChannelSaysSoAndTellsWhenItHasRoom() throws {
        let link = VirtualLink()
        try link.connect()
        let id = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
        link.run(for: .milliseconds(100))
        link.ends[0].setBufferedAmountLowThreshold(1 << 20, of: id)
        var sent = 0
        #expect(throws: DataChannelError.bufferFull) {
            while sent < 200 {
                try link.ends[0].send(.binary(pattern(Limits.sctpMessage)), on: id, now: link.now)
                sent += 1
            }
        }
        #expect(sent == Limits.channelQueue / Limits.sctpMessage)
        #expect(link.ends[0].bufferedAmount(of: id) == Limits.channelQueue)
        link.run(for: .seconds(30))
        let lows = link.outputs(of: 0).filter { $0 == .bufferedAmountLow(id) }
        #expect(lows.count == 1)
        #expect(link.messages(at: 1).count == sent && link.ends[0].bufferedAmount(of: id) == 0)
    }

    @Test func messagesOfOneTurnLeaveInTrains() throws {
        let link = VirtualLink()
        try link.connect()
        let id = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
        link.run(for: .milliseconds(100))
        let before = (link.trains, link.datagrams)
        try link.at(0) { connection, now in
            for _ in 0..<50 { try connection.send(.binary(pattern(64)), on: id, now: now) }
        }
        #expect(link.datagrams - before.1 >= 50 && link.trains - before.0 <= 2)
        link.run(for: .seconds(1))
        #expect(link.messages(at: 1).count == 50)
    }

    @Test func channelsTakeTurnsWhileThereIsNoRoom() throws {
        let link = VirtualLink()
        try link.connect()
        let ids = try (0..<4).map { _ in try link.at(0) { try $0.open(DataChannelOptions(), now: $1) } }
        link.run(for: .milliseconds(100))
        let theirs = link.ids(openedAt: 1)
        // One channel has everything first, and yet the others need not wait for its end.
        for id in ids {
            for _ in 0..<50 { try link.ends[0].send(.binary(pattern(60_000)), on: id, now: link.now) }
        }
        link.run(for: .seconds(20))
        let order = link.outputs(of: 1).compactMap { if case .received(let id, _) = $0 { id } else { nil } }
        #expect(order.count == 200)
        for (number, id) in order.enumerated() { #expect(id == theirs[number % 4]) }
    }

    @Test func sizesAreCheckedOnSending() throws {
        let link = VirtualLink { end, configuration in configuration.largestMessage = end == 0 ? 100_000 : 20_000 }
        try link.connect()
        let plain = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
        let quick = try link.at(0) {
            try $0.open(DataChannelOptions(isOrdered: false, reliability: .maxRetransmits(0)), now: $1)
        }
        let fit = link.ends[0].largestDatagramMessage
        #expect(fit == 1132)
        try link.at(0) { connection, now in
            try connection.send(.binary(pattern(20_000)), on: plain, now: now)
            try connection.send(.binary(pattern(fit)), on: quick, now: now)
            #expect(throws: DataChannelError.tooLarge(limit: 20_000)) {
                try connection.send(.binary(pattern(20_001)), on: plain, now: now)
            }
            #expect(throws: DataChannelError.tooLargeForDatagram(limit: fit)) {
                try connection.send(.text(pattern(fit + 1)), on: quick, now: now)
            }
        }
        link.run(for: .seconds(1))
        #expect(link.messages(at: 1).map(\.bytes.readableBytes).sorted() == [fit, 20_000])
    }

    @Test func asManyChannelsAsMayBe() throws {
        let link = VirtualLink { _, configuration in configuration.channels = 5 }
        try link.connect()
        for _ in 0..<5 { _ = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) } }
        #expect(throws: DataChannelError.tooManyChannels) {
            try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
        }
        link.run(for: .seconds(1))
        #expect(throws: DataChannelError.tooManyChannels) {
            try link.at(1) { try $0.open(DataChannelOptions(), now: $1) }
        }
        #expect(throws: DataChannelError.invalidOptions) {
            try VirtualLink().at(0) {
                try $0.open(DataChannelOptions(label: String(repeating: "x", count: 5000)), now: $1)
            }
        }
    }

    // MARK: Ends

    @Test(arguments: [0, 1])
    func aCloseReachesTheOtherEndAtOnce(end: Int) throws {
        let link = VirtualLink()
        try link.connect()
        let id = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
        link.run(for: .milliseconds(100))
        link.at(end) { $0.close(now: $1) }
        #expect(link.end(of: end) == .some(nil))
        link.run(for: .milliseconds(20))
        #expect(link.end(of: 1 - end) == .some(nil))
        for end in 0...1 {
            #expect(link.ends[end].state == .closed)
            #expect(link.ends[end].deadline == .distantFuture)
        }
        #expect(throws: DataChannelError.closed) {
            try link.at(0) { try $0.send(.text(ByteBuffer()), on: id, now: $1) }
        }
        #expect(throws: DataChannelError.closed) { try link.at(0) { try $0.open(DataChannelOptions(), now: $1) } }
        let count = link.events[0].count + link.events[1].count
        link.run(for: .seconds(100))
        #expect(link.events[0].count + link.events[1].count == count)
    }

    @Test func silenceEndsAConnectionWithoutConsent() throws {
        let link = VirtualLink()
        try link.connect()
        link.faults.loss = 100
        link.run(for: .seconds(120))
        #expect(link.ends.map(\.state) == [.failed, .failed])
        for end in 0...1 {
            #expect(link.outputs(of: end).contains(.state(.disconnected)))
            #expect(link.end(of: end)??.isOfSilence == true)
        }
    }

    @Test func nobodyThereEndsInNoPath() {
        let link = VirtualLink()
        link.faults.loss = 100
        link.start()
        link.run(for: .seconds(60))
        #expect(link.end(of: 0) == .some(.noPath) && link.end(of: 1) == .some(.noPath))
    }

    @Test func aRemoteThatNeverShakesHandsIsGivenUp() {
        let link = VirtualLink()
        // STUN passes, DTLS does not.
        link.passes = { _, datagram in datagram.getInteger(at: datagram.readerIndex, as: UInt8.self) ?? 0 < 4 }
        link.start()
        link.run(for: .seconds(60))
        for end in 0...1 {
            guard case .dtls(let error)?? = link.end(of: end) else {
                Issue.record("no timeout of the handshake at \(end)")
                continue
            }
            #expect(error.code == .timeout)
        }
        #expect(link.now - .uptimeNanoseconds(1_000_000_000) <= .seconds(60))
    }

    @Test func aRemoteThatNeverAssociatesIsGivenUp() {
        let link = VirtualLink()
        link.passes = { _, datagram in datagram.getInteger(at: datagram.readerIndex, as: UInt8.self) != 23 }
        link.start()
        link.run(for: .seconds(60))
        // Whoever gives up first tells the other.
        let hasTimedOut = (0...1).contains { link.end(of: $0) == .some(.sctpTimeout) }
        #expect(hasTimedOut)
        #expect(link.ends[0].isOver && link.ends[1].isOver)
    }

    @Test func anotherCertificateThanPromisedEndsIt() {
        let link = VirtualLink()
        var parameters = link.parameters(of: 1)
        parameters.fingerprint = PlainEngines(seed: 99).fingerprint
        link.ends[1].start(remote: link.parameters(of: 0), now: link.now)
        link.ends[0].start(remote: parameters, now: link.now)
        link.run(for: .seconds(5))
        #expect(link.end(of: 0) == .some(.wrongFingerprint(link.ends[1].localFingerprint)))
        #expect(!link.outputs(of: 0).contains(.state(.connected)))
        #expect(!link.outputs(of: 1).contains(.state(.connected)))
    }

    @Test func anyCertificateWillDoWhenTheCallerJudges() throws {
        let link = VirtualLink()
        for end in 0...1 {
            var parameters = link.parameters(of: 1 - end)
            parameters.fingerprint = nil
            link.ends[end].start(remote: parameters, now: link.now)
        }
        link.run(for: .seconds(5))
        #expect(link.ends.map(\.remoteFingerprint) == [link.ends[1].localFingerprint, link.ends[0].localFingerprint])
    }

    @Test func figuresAreToldOfTheWholeStack() throws {
        let link = VirtualLink(LinkFaults(loss: 5))
        try link.connect()
        let id = try link.at(0) { try $0.open(DataChannelOptions(), now: $1) }
        try link.at(0) { connection, now in
            for _ in 0..<50 { try connection.send(.binary(pattern(20_000)), on: id, now: now) }
        }
        link.run(for: .seconds(60))
        let figures = link.ends[0].statistics
        #expect(figures.state == .connected && figures.path == "10.0.0.1:4000 → 10.0.0.2:9090")
        #expect(figures.localCandidate == "host" && figures.remoteCandidate == "host")
        #expect(figures.pathRoundTrip ?? .zero >= .milliseconds(10) && figures.roundTrip ?? .zero >= .milliseconds(10))
        #expect(figures.bytesSent > 1_000_000 && figures.datagramsSent > 800 && figures.bytesReceived > 1000)
        #expect(figures.retransmissions > 0 && figures.congestionWindow > 0 && figures.unacknowledgedBytes == 0)
        #expect(figures.channels == 1)
    }
}

extension PeerConnectionError {
    /// Whether the remote simply vanished, whichever layer noticed first.
    var isOfSilence: Bool {
        switch self {
        case .pathLost, .sctp: true
        default: false
        }
    }
}
