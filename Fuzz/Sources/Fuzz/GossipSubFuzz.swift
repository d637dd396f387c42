import NIOCore
import Wire

@testable import GossipSub

/// The content of GossipSub frames, and the messages in them.
enum GossipSubFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        guard let rpc = try? RPC(ByteBuffer(bytes: input)) else { return }
        precondition(rpc.messages.count <= Limits.gossipMessagesPerRPC, "more messages than allowed")
        for message in rpc.messages {
            _ = try? message.header
            _ = message.settled()
        }
    }
}
