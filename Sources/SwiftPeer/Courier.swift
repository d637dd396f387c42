import NIOCore
import Node
import Runtime
import Wire

/// Carries requests out, one at a time, and lets no text overtake what its neighbours can read.
///
/// The peer takes a text at once and drops it later for a neighbour that does not keep up. So after every
/// ``Limits/unconfirmedTexts`` bytes the neighbours are pinged: an answer comes back over the same connection, behind
/// what was sent before it.
struct Courier {
    let peer: Peer
    private var unconfirmed = 0

    /// Nothing was sent yet.
    init(peer: Peer) { self.peer = peer }

    /// Does what is asked and says how it went, with the request's marks.
    mutating func answer(_ request: NodeRequest) async -> NodeAnswer {
        NodeAnswer(input: request.input, token: request.token, outcome: await carryOut(request.action))
    }

    private mutating func carryOut(_ action: NodeRequest.Action) async -> NodeAnswer.Outcome {
        do throws(PeerError) {
            switch action {
            case .publish(let text, let room): return try await publish(text, in: room)
            case .connect(let address): try await peer.connect(address)
            case .disconnect(let id): try await peer.disconnect(id)
            case .ping(let id): return .pong(id, try await peer.ping(id))
            case .pingAddress(let address):
                let id = try await peer.connect(address)
                return .pong(id, try await peer.ping(id))
            case .join(let room):
                try await peer.join(room)
                return .joined(room)
            case .leave(let room):
                try await peer.leave(room)
                return .left(room)
            case .listPeers: return .peers(await peer.snapshot().topics)
            case .listConnections: return .connections(await peer.snapshot().connections)
            case .resync: return .state(await peer.snapshot())
            case .settle:
                await confirm()
                return .settled
            }
            return .done
        } catch {
            return .failed(error.message)
        }
    }

    private mutating func publish(_ text: String, in room: String) async throws(PeerError) -> NodeAnswer.Outcome {
        let bytes = Array(text.utf8)
        if unconfirmed > 0 && unconfirmed + bytes.count > Limits.unconfirmedTexts { await confirm() }
        unconfirmed += bytes.count
        return .published(try await peer.publish(bytes, to: room), text: text, room: room)
    }

    /// Waits until every neighbour answered a ping, at most for a while: one that is stuck holds nobody up for long.
    private mutating func confirm() async {
        unconfirmed = 0
        let neighbours = Set(await peer.snapshot().topics.flatMap { $0.mesh.isEmpty ? $0.peers : $0.mesh })
        await withTaskGroup(of: Void.self) { [peer] group in
            group.addTask { try? await Task.sleep(for: .nanoseconds(Limits.confirmTimeout.nanoseconds)) }
            group.addTask {
                await withTaskGroup(of: Void.self) { pings in
                    for id in neighbours.sorted() { pings.addTask { _ = try? await peer.ping(id) } }
                }
            }
            await group.next()
            group.cancelAll()
        }
    }
}
