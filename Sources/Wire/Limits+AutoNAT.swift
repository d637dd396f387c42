package import NIOCore

extension Limits {
    // MARK: AutoNAT v2

    /// A message of either protocol; go-libp2p has the same.
    package static let autoNATMessage = 8192
    /// Addresses of a request that a server looks at; go-libp2p inspects as many.
    package static let autoNATAddresses = 50
    /// Addresses that we ask about at once.
    package static let autoNATAsked = 10
    /// The bytes a server demands before it dials an IP address that is not the asker's: as many as a TCP and Noise
    /// handshake cost its target, several times over.
    package static let autoNATDataLeast = 30_000
    package static let autoNATDataMost = 100_000
    /// The bytes of one message of that data.
    package static let autoNATDataBlock = 4096
    /// A message of less data than this, other than the last, is misbehaviour: it costs us more than its sender.
    package static let autoNATDataBlockLeast = 100
    /// From an accepted request to its last byte, data included.
    package static let autoNATRequestTimeout = TimeAmount.seconds(15)
    /// From a server's dial to the end of the connection it makes.
    package static let autoNATDialTimeout = TimeAmount.seconds(10)
    /// From opening a dial-back stream to its answer.
    package static let autoNATDialBackTimeout = TimeAmount.seconds(5)
    /// From asking a server to its verdict.
    package static let autoNATAnswerTimeout = TimeAmount.seconds(35)
    /// Requests a server takes in a minute, from everybody and from one peer (go-libp2p's numbers).
    package static let autoNATRequestsPerMinute = 60
    package static let autoNATRequestsPerMinuteOfPeer = 12
    /// Of those, requests with an address that costs data.
    package static let autoNATDataRequestsPerMinute = 12
    /// Requests a server works on at once, for everybody and for one peer.
    package static let autoNATRequestsAtOnce = 16
    package static let autoNATRequestsAtOnceOfPeer = 2
    /// Own addresses whose reachability is asked for.
    package static let autoNATOwnAddresses = 16
    /// Servers known; more are ignored.
    package static let autoNATServers = 32
    /// The latest verdicts kept of one address, one of each server.
    package static let autoNATVotes = 5
    /// So many servers that agree decide; fewer when fewer are known.
    package static let autoNATQuorum = 2
    /// From knowing a server or an address to the first question, so that identify and others can be done.
    package static let autoNATFirst = TimeAmount.seconds(3)
    /// Between two questions to one server while addresses are left to ask about.
    package static let autoNATNext = TimeAmount.seconds(10)
    /// Between two questions to one server when it has judged everything.
    package static let autoNATAgain = TimeAmount.minutes(30)
    /// How long a server that refused or failed is left alone.
    package static let autoNATRest = TimeAmount.minutes(10)
    /// Public IP addresses of ours as others see them, and the peers remembered to have said so of each.
    package static let observedHosts = 8
    package static let observers = 8
    /// Peers that have to agree on such an IP address before it is asked about.
    package static let observersNeeded = 2
}
