import NIOCore
import NIOPosix
import Testing
import WebRTC

@testable import WebRTCRuntime

/// Two peers on loopback that know each other, on one event loop or two.
struct PeerPair: Sendable {
    let near: WebRTCPeer
    let far: WebRTCPeer

    init(_ ip: String = "127.0.0.1", offload: Bool = true) {
        var configuration = WebRTCConfiguration()
        configuration.hostAddresses = [ip]
        configuration.usesOffload = offload
        near = WebRTCPeer(configuration: configuration, on: MultiThreadedEventLoopGroup.singleton.next())
        far = WebRTCPeer(configuration: configuration, on: MultiThreadedEventLoopGroup.singleton.next())
    }

    /// Offer and answer, as they are or changed on the way.
    func signal(
        changing change: (String) -> String = { $0 }
    ) async throws {
        let offer = try await near.createOffer()
        let answer = try await far.accept(offer: change(offer))
        try await near.accept(answer: change(answer))
    }

    /// A connection with one channel: the near end's and the far end's.
    func open(
        _ options: DataChannelOptions = DataChannelOptions(label: "test"),
        changing change: (String) -> String = { $0 }
    ) async throws -> (near: DataChannelHandle, far: DataChannelHandle) {
        try await signal(changing: change)
        let opened = try await near.openChannel(options)
        var incoming = far.incomingChannels.makeAsyncIterator()
        return (opened, try #require(try await incoming.next()))
    }

    func close() async {
        await near.close()
        await far.close()
    }
}

/// Bytes that look random and are the same at every call.
func pattern(_ count: Int, seed: UInt8 = 0) -> ByteBuffer {
    var buffer = ByteBufferAllocator().buffer(capacity: count)
    buffer.writeRepeatingByte(seed, count: count)
    for index in stride(from: 0, to: count - 1, by: 61) {
        buffer.setInteger(UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8), at: index)
    }
    return buffer
}

extension WebRTCPeer {
    var socketCount: Int { sockets.count }
    /// Whether it takes no more from the network until somebody reads.
    var isPaused: Bool { patience != nil }

    func setReaderPatience(_ time: TimeAmount) { readerPatience = time }
}
