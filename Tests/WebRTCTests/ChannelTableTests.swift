import NIOCore
import Testing
import Wire

@testable import WebRTC

@Suite struct ChannelTableTests {
    private func table(_ role: DTLSRole? = .client) -> ChannelTable {
        var table = ChannelTable()
        if let role { table.decide(role: role) }
        return table
    }

    /// Adds a channel of ours and gives it a stream.
    private func open(_ table: inout ChannelTable) -> UInt16? {
        let id = table.add(DataChannelOptions(), isRemote: false, state: .opening, stream: nil)
        return table.assignStream(to: id)
    }

    private func accept(_ stream: UInt16, _ table: inout ChannelTable) -> DataChannelID {
        table.remoteUsed(stream)
        return table.add(DataChannelOptions(), isRemote: true, state: .open, stream: stream)
    }

    @Test(arguments: [(DTLSRole.client, [0, 2, 4] as [UInt16]), (.server, [1, 3, 5])])
    func theClientTakesEvenStreamsAndTheServerOddOnes(role: DTLSRole, streams: [UInt16]) {
        var table = table(role)
        let opened = (0..<3).map { _ in open(&table) }
        #expect(opened == streams)
        // Decided once.
        table.decide(role: role == .client ? .server : .client)
        let next = open(&table)
        #expect(next == streams[2] + 2)
    }

    @Test func withoutARoleThereIsNoStream() {
        var table = table(nil)
        let stream = open(&table)
        #expect(stream == nil)
    }

    @Test func aChannelGetsOneStreamOnly() {
        var table = table()
        let id = table.add(DataChannelOptions(), isRemote: false, state: .opening, stream: nil)
        let streams = [table.assignStream(to: id), table.assignStream(to: id)]
        #expect(streams == [0, nil])
        #expect(table[stream: 0] == id && table[id]?.stream == 0)
        let ofNobody = table.assignStream(to: DataChannelID(99))
        #expect(ofNobody == nil)
    }

    @Test func streamsThatTheRemoteTookArePassedOver() {
        var table = table()
        _ = accept(3, &table)
        for stream: UInt16 in [0, 4] {
            _ = table.add(DataChannelOptions(), isRemote: true, state: .open, stream: stream)
        }
        let opened = (0..<2).map { _ in open(&table) }
        #expect(opened == [2, 6])
    }

    @Test func freedStreamsServeAgainTheOldestFirst() throws {
        var table = table()
        for _ in 0..<3 { _ = open(&table) }
        for stream: UInt16 in [2, 0] {
            let id = try #require(table[stream: stream])
            _ = table.remove(id)
        }
        #expect(table.count == 1 && table[stream: 0] == nil)
        let opened = (0..<3).map { _ in open(&table) }
        #expect(opened == [2, 0, 6])
    }

    @Test func anAgreedStreamIsNeverOursLater() {
        var table = table()
        let id = table.add(DataChannelOptions(negotiatedID: 0), isRemote: false, state: .open, stream: 0)
        let removed = [table.remove(id)?.id, table.remove(id)?.id]
        #expect(removed == [id, nil])
        let stream = open(&table)
        #expect(stream == 2)
    }

    /// aiortc before 1.16 counts by another rule; only its first announcement tells.
    @Test func theFirstAnnouncementTellsByWhichRuleTheRemoteCounts() {
        var strange = table(.server)
        let first = accept(1, &strange)
        _ = strange.remove(first)
        var opened = (0..<2).map { _ in open(&strange) }
        _ = accept(4, &strange)
        opened.append(open(&strange))
        #expect(opened == [0, 2, 6])

        var usual = table(.server)
        _ = accept(0, &usual)
        _ = accept(1, &usual)
        opened = (0..<2).map { _ in open(&usual) }
        #expect(opened == [3, 5])
    }

    @Test func thereIsAnEndToStreams() {
        var table = table()
        let most = Int(Limits.channelStreams) / 2
        let opened = (0...most).compactMap { _ in open(&table) }
        #expect(opened.count == most && Set(opened).count == most && table.count == most + 1)
    }

    // MARK: Turns

    /// Channels on 0, 2, 4…, each with a message to send.
    private func ready(_ count: Int) -> (ChannelTable, [DataChannelID]) {
        var table = table()
        let ids = (0..<count).map { _ in
            let id = table.add(DataChannelOptions(), isRemote: false, state: .open, stream: nil)
            _ = table.assignStream(to: id)
            table[id]?.append(.binary, ByteBuffer(string: "x"))
            table.line(up: id)
            return id
        }
        return (table, ids)
    }

    @Test func everybodyStandsInTheLineOnce() {
        var (table, ids) = ready(3)
        for id in ids { table.line(up: id) }
        let turns = (0..<4).map { _ in table.next()?.id }
        #expect(turns == ids + [nil])
    }

    @Test func whoHasNothingToSendHasNoTurn() {
        var (table, ids) = ready(3)
        table[ids[0]]?.dropQueue()
        _ = table.remove(ids[1])
        var turns = [table.next()?.id]
        table.line(up: ids[0])
        turns.append(table.next()?.id)
        #expect(turns == [ids[2], nil])
    }

    @Test func whoCouldNotBeServedStaysTheFirst() throws {
        var (table, ids) = ready(3)
        let first = table.next()
        table.goBack(try #require(first))
        // Nor does it stand there twice.
        table.line(up: ids[0])
        let turns = (0..<4).map { _ in table.next()?.id }
        #expect(turns == ids + [nil])
    }

    @Test func whoWaitsForStreamsComesBackWhenThereAreMore() {
        var (table, ids) = ready(3)
        while let channel = table.next() { table.starve(channel.id) }
        #expect(table.starved == ids)
        _ = table.remove(ids[1])
        #expect(table.starved == [ids[0], ids[2]])
        table.feed()
        #expect(table.starved.isEmpty)
        let turns = (0..<3).map { _ in table.next()?.id }
        #expect(turns == [ids[0], ids[2], nil])
    }

    @Test func onlyOpenChannelsCountAsOpen() {
        var (table, ids) = ready(3)
        table[ids[0]]?.state = .closing
        #expect(table.openCount == 2 && table.count == 3)
        _ = table.remove(ids[2])
        #expect(table.openCount == 1 && table.count == 2)
    }
}
