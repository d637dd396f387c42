import Foundation
import NIOCore
import Synchronization
import Testing
import WebRTC
import WebRTCRuntime

/// Our own end of a connection with data channels, on the loopback. Everything that happened to it is kept.
struct Ours: Sendable {
    /// A channel, and what came on it.
    struct Channel: Sendable {
        var handle: DataChannelHandle
        var isRemote: Bool
        var messages: [DataChannelMessage] = []
        var isClosed = false
    }

    private final class Kept: Sendable {
        let channels = Mutex<[Channel]>([])
    }

    let peer: WebRTCPeer
    private let kept = Kept()

    /// One that reaches nothing but the loopback; it ends with the scenario.
    static func start(
        on stage: Stage, _ configure: (inout WebRTCConfiguration) -> Void = { _ in }
    ) async -> Ours {
        var configuration = WebRTCConfiguration()
        configuration.hostAddresses = ["127.0.0.1"]
        configure(&configuration)
        let ours = Ours(peer: WebRTCPeer(configuration: configuration))
        await ours.peer.onChannel { _, channel in ours.keep(channel, isRemote: true) }
        stage.atEnd { await ours.peer.close() }
        return ours
    }

    func open(_ options: DataChannelOptions) async throws -> DataChannelHandle {
        let channel = try await peer.startChannel(options)
        keep(channel, isRemote: false)
        return channel
    }

    /// Reads all that comes on a channel.
    private func keep(_ channel: DataChannelHandle, isRemote: Bool) {
        let index = kept.channels.withLock {
            $0.append(Channel(handle: channel, isRemote: isRemote))
            return $0.count - 1
        }
        Task {
            do {
                for try await message in channel.messages {
                    kept.channels.withLock { $0[index].messages.append(message) }
                }
            } catch {}
            kept.channels.withLock { $0[index].isClosed = true }
        }
    }

    private func find(_ what: String, _ matches: (Channel) -> Bool) async throws -> Channel {
        var found: Channel?
        do {
            try await until("we: \(what)", within: .seconds(20)) {
                found = kept.channels.withLock { $0.first(where: matches) }
                return found != nil
            }
        } catch {
            let channels = kept.channels.withLock {
                $0.map { "\($0.handle.options.label): \($0.messages.count) messages, closed: \($0.isClosed)" }
            }
            throw Failure("\(error); we are \(await peer.state): \(channels.joined(separator: "; "))")
        }
        return try #require(found)
    }

    /// The channel with this label, once it is open.
    func opened(_ label: String) async throws -> Channel {
        let channel = try await find("\(label) opens") { $0.handle.options.label == label }
        try await channel.handle.opened()
        return channel
    }

    func closed(_ label: String) async throws {
        _ = try await find("\(label) closes") { $0.handle.options.label == label && $0.isClosed }
    }

    func received(_ message: DataChannelMessage, on label: String) async throws {
        _ = try await find("\(message) comes on \(label)") {
            $0.handle.options.label == label && $0.messages.contains(message)
        }
    }

    /// All bytes of a channel, once there are so many.
    func bytes(_ count: Int, on label: String) async throws -> Data {
        let channel = try await find("\(count) bytes on \(label)") { channel in
            channel.handle.options.label == label
                && channel.messages.reduce(0) { $0 + $1.bytes.readableBytes } >= count
        }
        return channel.messages.reduce(into: Data()) { $0 += $1.bytes.readableBytesView }
    }

    /// Waits until the connection is over, in good order.
    func ended() async throws {
        try await until("we end", within: .seconds(20)) { await peer.state == .closed }
    }
}
