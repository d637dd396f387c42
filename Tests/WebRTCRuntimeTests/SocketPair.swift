import NIOCore
import NIOPosix
import Testing
import Wire

@testable import WebRTCRuntime

/// Two sockets of one loop, with what each received; used on that loop only.
final class SocketPair {
    let sender: DatagramSocket
    let receiver: DatagramSocket
    private(set) var trains: [Datagrams] = []
    private(set) var sources: Set<TransportAddress> = []
    private(set) var readEnds = 0
    private(set) var received = 0
    private var awaited = 0
    private var whenThere: EventLoopPromise<Void>?

    init(_ ip: String, on loop: any EventLoop, senderOffload: Bool = true, receiverOffload: Bool = true) throws {
        let address = TransportAddress(try #require(IPAddress(ip)), port: 0)
        sender = try DatagramSocket(bindingTo: address, on: loop, offload: senderOffload)
        receiver = try DatagramSocket(bindingTo: address, on: loop, offload: receiverOffload)
        receiver.start { [weak self] train, remote, _ in
            self?.take(train, remote)
        } readEnded: { [weak self] in
            self?.endRead()
        }
    }

    private func take(_ train: Datagrams, _ source: TransportAddress) {
        trains.append(train)
        sources.insert(source)
        received += train.count
    }

    private func endRead() {
        readEnds += 1
        if received >= awaited, let promise = whenThere {
            whenThere = nil
            promise.succeed()
        }
    }

    /// Done when so many datagrams have arrived in all; fails after five seconds.
    func arrival(of count: Int, on loop: any EventLoop) -> EventLoopFuture<Void> {
        if received >= count { return loop.makeSucceededVoidFuture() }
        let promise = loop.makePromise(of: Void.self)
        (awaited, whenThere) = (count, promise)
        let bound = NIOLoopBound(self, eventLoop: loop)
        let timeout = loop.scheduleTask(in: .seconds(5)) { bound.value.giveUp() }
        promise.futureResult.whenComplete { _ in timeout.cancel() }
        return promise.futureResult
    }

    /// Sends three bytes again and again until they arrive: behind whatever waits, or is dropped, at the moment.
    func probe(on loop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = loop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: loop)
        let deadline = NIODeadline.now() + .seconds(5)
        loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(10)) { task in
            let pair = bound.value
            if pair.datagrams.contains(where: { $0.count == 3 }) {
                promise.succeed()
                task.cancel()
            } else if .now() > deadline {
                promise.fail(Missing(received: pair.received, awaited: pair.received + 1))
                task.cancel()
            } else {
                pair.sender.send(train(of: 1, size: 3), to: pair.receiver.localAddress)
            }
        }
        return promise.futureResult
    }

    private func giveUp() {
        whenThere?.fail(Missing(received: received, awaited: awaited))
        whenThere = nil
    }

    /// All datagrams in the order of arrival.
    var datagrams: [[UInt8]] {
        trains.flatMap { train in
            var rest = train
            var result: [[UInt8]] = []
            while let datagram = rest.popFirst() { result.append(Array(datagram.readableBytesView)) }
            return result
        }
    }

    func close() {
        sender.close()
        receiver.close()
    }

    struct Missing: Error {
        let received: Int
        let awaited: Int
    }
}

/// Runs a test's body on an event loop, with what waits in between as futures.
func onLoop<Result: Sendable>(
    _ body: @escaping @Sendable (any EventLoop) throws -> EventLoopFuture<Result>
) async throws -> Result {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    return try await loop.flatSubmit {
        do { return try body(loop) } catch { return loop.makeFailedFuture(error) }
    }.get()
}

/// A train of datagrams that differ.
func train(of count: Int, size: Int, last: Int? = nil, from number: Int = 0) -> Datagrams {
    var result = Datagrams()
    for index in 0..<count {
        let length = index == count - 1 ? last ?? size : size
        var datagram = ByteBuffer(repeating: UInt8(truncatingIfNeeded: number &+ index), count: length)
        if length > 1 { datagram.setInteger(UInt8(truncatingIfNeeded: index &* 7), at: length - 1) }
        _ = result.append(datagram)
    }
    return result
}

extension Datagrams {
    var all: [[UInt8]] {
        var rest = self
        var result: [[UInt8]] = []
        while let datagram = rest.popFirst() { result.append(Array(datagram.readableBytesView)) }
        return result
    }
}
