import NIOCore
public import Node
public import Wire

/// What an application asks of a peer. Every call waits for its own answer, throws ``PeerError`` and can be cancelled.
extension Peer {
    /// Dials an address and waits until the connection is authenticated.
    ///
    /// - Returns: the id of the peer that answered; equal to the address's `/p2p/…` when it has one.
    @discardableResult
    public func connect(_ address: Multiaddr) async throws(PeerError) -> PeerID {
        guard case .connected(let peer) = try await ask(.connect(address)) else { throw Self.mismatch }
        return peer
    }

    /// Connects to a peer by its id alone: at the addresses known of it, or those that Kademlia finds.
    public func connect(to peer: PeerID) async throws(PeerError) {
        guard let address = Multiaddr(peer: peer) else { throw PeerError(.invalid, "\(peer) does not fit an address") }
        try await connect(address)
    }

    /// Where a peer is, as connected peers of the Kademlia network know it: addresses without `/p2p`, never none.
    public func findPeer(_ peer: PeerID) async throws(PeerError) -> [Multiaddr] {
        guard case .addresses(let addresses) = try await ask(.findPeer(peer)) else { throw Self.mismatch }
        return addresses
    }

    /// Closes all connections to a peer, and does not dial it again on its own.
    public func disconnect(_ peer: PeerID) async throws(PeerError) { _ = try await ask(.disconnect(peer)) }

    /// One round trip of `/ipfs/ping/1.0.0`.
    public func ping(_ peer: PeerID) async throws(PeerError) -> Duration {
        guard case .pong(let time) = try await ask(.ping(peer)) else { throw Self.mismatch }
        return time
    }

    /// Who a connected peer says it is: what identify brought, asked again now.
    public func identify(_ peer: PeerID) async throws(PeerError) -> IdentifyInfo {
        guard case .identified(let info) = try await ask(.identify(peer)) else { throw Self.mismatch }
        return info
    }

    /// Measures throughput with `/perf/1.0.0`: uploads, then downloads so many bytes.
    public func perf(_ peer: PeerID, upload: UInt64, download: UInt64) async throws(PeerError) -> PerfResult {
        guard case .perf(let result) = try await ask(.perf(peer, upload: upload, download: download)) else {
            throw Self.mismatch
        }
        return result
    }

    /// Joins a topic: its messages come by the mailbox from now on.
    public func join(_ topic: String) async throws(PeerError) { _ = try await ask(.join(topic: topic)) }

    /// Leaves a topic.
    public func leave(_ topic: String) async throws(PeerError) { _ = try await ask(.leave(topic: topic)) }

    /// Signs and publishes a message on a topic.
    public func publish(_ data: some Sequence<UInt8> & Sendable, to topic: String) async throws(PeerError) -> Published
    {
        guard case .published(let result) = try await ask(.publish(topic: topic, ByteBuffer(bytes: data))) else {
            throw Self.mismatch
        }
        return result
    }

    /// Addresses, connections and topics as they stand now.
    public func snapshot() -> PeerSnapshot { core.snapshot(now: .now()) }

    /// Leaves: tells the mesh, says go-away, closes every connection and listener; done within two seconds.
    public func shutdown() async {
        guard !isShutDown else { return }
        _ = try? await ask(.shutdown)
        isShutDown = true
        for channel in listeners + multicast + arrivals.values.map(\.channel) { channel.close(promise: nil) }
        (listeners, multicast) = ([], [])
        closeSockets()
        for (_, continuation) in waiting {
            continuation.resume(returning: .failure(PeerError(.shutDown, "this peer has left")))
        }
        waiting = [:]
    }

    /// The core answers each request with its own kind of response; another kind is a bug of ours.
    static var mismatch: PeerError { PeerError(.system, "the node answered another question than was asked") }
}
