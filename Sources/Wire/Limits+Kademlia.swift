package import NIOCore

extension Limits {
    // MARK: Kademlia, client mode

    /// An answer to FIND_NODE; a public server's twenty peers take some 20 KiB.
    package static let kademliaMessage = 128 << 10
    /// Peers of one answer; twenty are usual, more than this is misbehaviour.
    package static let kademliaCloserPeers = 64
    /// Peers of one answer that become candidates: the parameter k.
    package static let kademliaTaken = 20
    /// Addresses read of one peer of an answer; more are ignored.
    package static let kademliaAddressesRead = 64
    /// Addresses kept of one peer that may be asked on the way.
    package static let kademliaAddresses = 8
    /// Addresses kept of the peer that is looked for, from all answers together.
    package static let kademliaFound = 32
    /// The most peers asked at the same time: the parameter alpha, as go-libp2p-kad-dht has it.
    package static let kademliaParallel = 10
    /// The closest so many have to have answered before a lookup ends in vain: the parameter k.
    package static let kademliaClosest = 20
    /// Peers held by one lookup; the furthest make room.
    package static let kademliaCandidates = 256
    /// Peers asked in one lookup, which bounds the connections that it makes.
    package static let kademliaQueries = 100
    /// Peers asked in one lookup at one public IP address: strangers' answers must not make us a flood.
    package static let kademliaQueriesPerHost = 4
    /// From opening the stream to the whole answer.
    package static let kademliaTimeout = TimeAmount.seconds(10)
    /// From a lookup's start to its end, whatever is known by then.
    package static let kademliaLookupTimeout = TimeAmount.seconds(60)
    /// So many peers have to name addresses before a lookup ends early.
    package static let kademliaWitnesses = 3
    /// From the first address found to the end of a lookup that hears of no others.
    package static let kademliaSettle = TimeAmount.seconds(3)
    /// Lookups at the same time; more are refused.
    package static let kademliaLookups = 16
    /// Peers remembered for answers that were none.
    package static let kademliaShunned = 256
    /// How long such a peer is not asked.
    package static let kademliaShunning = TimeAmount.minutes(10)
}
