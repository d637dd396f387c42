import NIOCore
import OrderedCollections
import Wire

/// Collects what one call of `handle` sends, so that every peer gets it in one RPC where it fits.
///
/// Bounded by what one input can cause: the budgets of answers, the entries of an RPC, the messages of a chunk.
struct Outbox {
    private var pending: OrderedDictionary<PeerID, PendingRPC> = [:]

    /// What `peer` is going to be told, to add to.
    subscript(peer: PeerID) -> PendingRPC {
        get { pending[peer, default: PendingRPC()] }
        _modify { yield &pending[peer, default: PendingRPC()] }
    }

    /// Forgets what a peer that is gone would have been told.
    mutating func discard(_ peer: PeerID) { pending.removeValue(forKey: peer) }

    /// Hands over the frames, peers in the order of their first entry.
    mutating func flush(_ send: (ByteBuffer, PeerID) -> Void) {
        guard !pending.isEmpty else { return }
        var shared: (number: UInt64, frame: ByteBuffer)?
        for (peer, rpc) in pending {
            guard let message = rpc.onlyMessage else {
                for frame in RPCPacker.frames(of: rpc) { send(frame, peer) }
                continue
            }
            if let shared, shared.number == message.number {
                send(shared.frame, peer)
            } else {
                for frame in RPCPacker.frames(of: rpc) {
                    shared = (message.number, frame)
                    send(frame, peer)
                }
            }
        }
        pending.removeAll(keepingCapacity: true)
    }
}
