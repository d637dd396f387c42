import NIOCore
import Testing
import Wire

@testable import WebRTCRuntime

@Suite(.serialized, .timeLimit(.minutes(1))) struct DatagramSocketTests {
    struct Way: Sendable, CustomTestStringConvertible {
        let ip: String
        let senderOffload: Bool
        let receiverOffload: Bool
        var testDescription: String { "\(ip), offload \(senderOffload) to \(receiverOffload)" }
    }

    static let ways = ["127.0.0.1", "::1"].flatMap { ip in
        [true, false].flatMap { sender in
            [true, false].map { Way(ip: ip, senderOffload: sender, receiverOffload: $0) }
        }
    }

    @Test("trains arrive whole, in order and from the right address", arguments: ways)
    func trains(_ way: Way) async throws {
        let sent = [
            train(of: 1, size: 1), train(of: 50, size: 1200), train(of: 30, size: 1200, last: 7),
            train(of: 64, size: 100), train(of: 1, size: 1400), train(of: 2, size: 1400, last: 1399),
        ]
        let count = sent.reduce(0) { $0 + $1.count }
        try await onLoop { loop in
            let pair = try SocketPair(
                way.ip, on: loop, senderOffload: way.senderOffload, receiverOffload: way.receiverOffload)
            for train in sent { pair.sender.send(train, to: pair.receiver.localAddress) }
            let bound = NIOLoopBound(pair, eventLoop: loop)
            return pair.arrival(of: count, on: loop).map {
                let pair = bound.value
                #expect(pair.datagrams == sent.flatMap(\.all))
                #expect(pair.sources == [pair.sender.localAddress])
                #expect(pair.sender.statistics.sentDatagrams == count)
                #expect(pair.sender.statistics.sentBytes == pair.receiver.statistics.receivedBytes)
                #expect(pair.receiver.statistics.receivedDatagrams == count)
                #expect(pair.readEnds > 0 && pair.readEnds <= pair.trains.count)
                if pair.sender.segmentsOnSend { #expect(pair.sender.statistics.sentTrains == sent.count) }
                pair.close()
            }
        }
    }

    @Test("datagrams of one source and size are one train even without offload")
    func coupled() async throws {
        try await onLoop { loop in
            let pair = try SocketPair("127.0.0.1", on: loop, senderOffload: false, receiverOffload: false)
            for index in 0..<20 {
                pair.sender.send(train(of: 1, size: 1000, from: index), to: pair.receiver.localAddress)
            }
            let bound = NIOLoopBound(pair, eventLoop: loop)
            return pair.arrival(of: 20, on: loop).map {
                #expect(bound.value.trains.count <= 2)  // the first datagram is NIO's
                #expect(bound.value.datagrams.count == 20)
                bound.value.close()
            }
        }
    }

    @Test("a burst of several megabytes arrives or is dropped, and the socket lives", arguments: [true, false])
    func burst(offload: Bool) async throws {
        try await onLoop { loop in
            let pair = try SocketPair("127.0.0.1", on: loop, senderOffload: offload, receiverOffload: offload)
            for index in 0..<200 {
                pair.sender.send(train(of: 50, size: 1200, from: index), to: pair.receiver.localAddress)
            }
            let bound = NIOLoopBound(pair, eventLoop: loop)
            return pair.arrival(of: 100, on: loop).flatMap {
                bound.value.probe(on: loop)
            }.map {
                let pair = bound.value
                #expect(pair.datagrams.allSatisfy { $0.count == 1200 || $0.count == 3 })
                pair.close()
            }
        }
    }

    @Test("a datagram that cannot be sent hurts nobody else")
    func unreachable() async throws {
        try await onLoop { loop in
            let pair = try SocketPair("127.0.0.1", on: loop)
            let nowhere = [
                TransportAddress(.v4(IPv4Address(0xF000_0001)), port: 9),
                TransportAddress(.v4(IPv4Address(0)), port: 0),
                TransportAddress(.v6(IPv6Address(high: 0, low: 1)), port: 9),
                TransportAddress(.v4(IPv4Address(0x0808_0808)), port: 9),
            ]
            for remote in nowhere {
                pair.sender.send(train(of: 3, size: 100), to: remote)
                pair.sender.send(train(of: 1, size: 100), to: remote)
            }
            #expect(pair.sender.statistics.droppedDatagrams > 0)
            let segmented = pair.sender.segmentsOnSend
            pair.sender.send(train(of: 5, size: 100), to: pair.receiver.localAddress)
            let bound = NIOLoopBound(pair, eventLoop: loop)
            return pair.arrival(of: 5, on: loop).map {
                // What failed was not the segmentation, so that goes on.
                #expect(bound.value.sender.segmentsOnSend == segmented)
                bound.value.close()
            }
        }
    }

    @Test("a segment larger than the interface carries is refused as a train, so the train goes in pieces")
    func refusedSegmentation() async throws {
        try await onLoop { loop in
            let pair = try SocketPair("127.0.0.1", on: loop)
            // Loopback carries 64 KiB: no segment of ours is too large there; 65,508 bytes are for any datagram.
            pair.sender.send(Datagrams(ByteBuffer(repeating: 1, count: 65_508)), to: pair.receiver.localAddress)
            #expect(pair.sender.statistics.droppedDatagrams == 1)
            pair.sender.send(train(of: 2, size: 20_000), to: pair.receiver.localAddress)
            let bound = NIOLoopBound(pair, eventLoop: loop)
            return pair.arrival(of: 2, on: loop).map {
                #expect(bound.value.datagrams == train(of: 2, size: 20_000).all)
                bound.value.close()
            }
        }
    }

    @Test("a datagram longer than the room is dropped and counted")
    func oversized() async throws {
        try await onLoop { loop in
            let pair = try SocketPair("127.0.0.1", on: loop, receiverOffload: false)
            for size in [100, Limits.datagramReceived + 1, Limits.datagramReceived] {
                pair.sender.send(train(of: 1, size: size), to: pair.receiver.localAddress)
            }
            let bound = NIOLoopBound(pair, eventLoop: loop)
            return pair.arrival(of: 2, on: loop).map {
                #expect(bound.value.datagrams.map(\.count) == [100, Limits.datagramReceived])
                #expect(bound.value.receiver.statistics.oversizedDatagrams == 1)
                bound.value.close()
            }
        }
    }

    @Test("a socket that does not read leaves it to the kernel, and reads on later")
    func paused() async throws {
        try await onLoop { loop in
            let pair = try SocketPair("127.0.0.1", on: loop)
            pair.receiver.isReading = false
            let bound = NIOLoopBound(pair, eventLoop: loop)
            return loop.scheduleTask(in: .milliseconds(5)) {
                bound.value.sender.send(train(of: 5, size: 100), to: bound.value.receiver.localAddress)
            }.futureResult.flatMap {
                loop.scheduleTask(in: .milliseconds(20)) { #expect(bound.value.received == 0) }.futureResult
            }.flatMap {
                bound.value.receiver.isReading = true
                return bound.value.arrival(of: 5, on: loop)
            }.map { bound.value.close() }
        }
    }

    @Test(
        "a socket of all addresses tells which one was meant, and answers from there",
        arguments: [true, false], ["0.0.0.0", "::"])
    func destinations(offload: Bool, any: String) async throws {
        let isVersion4 = any == "0.0.0.0"
        // All of 127.0.0.0/8 is this machine's.
        let meant = try (isVersion4 ? ["127.0.0.1", "127.0.0.2"] : ["::1"]).map { try #require(IPAddress($0)) }
        let wildcard = TransportAddress(try #require(IPAddress(any)), port: 0)
        try await onLoop { loop in
            let listener = try DatagramSocket(
                bindingTo: wildcard, on: loop, offload: offload, tellsDestination: true)
            let client = try DatagramSocket(
                bindingTo: TransportAddress(meant[0], port: 0), on: loop, offload: offload)
            #expect(listener.tellsDestination && !client.tellsDestination)
            let port = listener.localAddress.port
            let done = loop.makePromise(of: Void.self)
            var answers: [TransportAddress: Int] = [:]
            listener.start { train, remote, local in
                #expect(meant.contains(local.ip) && local.port == port)
                #expect(remote == client.localAddress)
                // The first byte says which one the sender meant.
                #expect(train.all.allSatisfy { meant[Int($0[0])] == local.ip })
                listener.send(train, to: remote, from: local)
            } readEnded: {
            }
            client.start { train, remote, local in
                #expect(local == client.localAddress)
                #expect(train.all.allSatisfy { meant[Int($0[0])] == remote.ip })
                answers[remote, default: 0] += train.count
                if answers.values.reduce(0, +) == 20 * meant.count { done.succeed() }
            } readEnded: {
            }
            // Turn by turn, so that one read brings both kinds; trains, so that offload has its part.
            for _ in 0..<5 {
                for (number, ip) in meant.enumerated() {
                    var train = Datagrams()
                    for _ in 0..<4 { _ = train.append(ByteBuffer(repeating: UInt8(number), count: 100)) }
                    client.send(train, to: TransportAddress(ip, port: port))
                }
            }
            let timeout = loop.scheduleTask(in: .seconds(5)) { done.fail(SocketPair.Missing(received: 0, awaited: 20)) }
            let sockets = NIOLoopBound([listener, client], eventLoop: loop)
            return done.futureResult.always { _ in
                timeout.cancel()
                for socket in sockets.value { socket.close() }
            }
        }
    }

    @Test("a port that is taken, and an address of somebody else, are errors that say so")
    func errors() async throws {
        try await onLoop { loop in
            let any = TransportAddress(.v4(IPv4Address(0x7F00_0001)), port: 0)
            let first = try DatagramSocket(bindingTo: any, on: loop)
            #expect {
                _ = try DatagramSocket(bindingTo: first.localAddress, on: loop)
            } throws: { ($0 as? DatagramSocketError)?.code == .addressInUse }
            #expect {
                _ = try DatagramSocket(bindingTo: TransportAddress(.v4(IPv4Address(0x0101_0101)), port: 0), on: loop)
            } throws: { ($0 as? DatagramSocketError)?.code == .addressNotAvailable }
            first.close()
            first.close()
            first.send(train(of: 1, size: 1), to: any)
            #expect(first.statistics.sentDatagrams == 0)
            return loop.makeSucceededVoidFuture()
        }
    }

    @Test(
        "addresses survive the kernel's form and NIO's",
        arguments: [
            "0.0.0.0", "127.0.0.1", "203.0.113.255", "::",
            "::1", "2001:db8:1:2:3:4:5:fffe", "::ffff:192.0.2.1",
        ], [0, 1, 9095, 65_535] as [UInt16])
    func addresses(ip: String, port: UInt16) throws {
        let address = TransportAddress(try #require(IPAddress(ip)), port: port)
        #expect(SocketName(address).address == address)
        #expect(TransportAddress(try SocketAddress(ipAddress: ip, port: Int(port))) == address)
        #expect(TransportAddress(try SocketAddress(unixDomainSocketPath: "/tmp/x")) == nil)
    }
}
