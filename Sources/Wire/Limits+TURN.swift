package import NIOCore

/// What TURN servers and their clients' peers may cost us.
extension Limits {
    /// TURN servers of one connection.
    package static let turnServers = 4
    /// Allocations of one connection: servers times the addresses of ours that reach them.
    package static let turnAllocations = 8
    /// Addresses of one allocation that may send us something: every candidate the remote can have.
    package static let turnPermissions = 96
    /// Channels of one allocation: addresses that traffic goes to.
    package static let turnChannels = 32
    /// Datagrams kept for an address until the server permits it.
    package static let turnHeldDatagrams = 4
    /// Requests of one allocation that wait for their answers.
    package static let turnRequests = 128
    /// Nonces refused in a row until a request is given up.
    package static let turnStaleNonces = 3
    /// The longest lifetime of an allocation that is believed, seconds.
    package static let turnLifetime: UInt32 = 3600
    /// Bytes of one frame on a TCP connection to a server: a ChannelData message or a STUN one.
    package static let turnFrame = 2048
    /// How long a TCP connection to a server may take to stand.
    package static let turnConnectTimeout = TimeAmount.seconds(10)
    /// Different complaints about TURN servers that a person hears in all.
    package static let turnComplaints = 16
    /// A URL of a STUN or TURN server.
    package static let iceServerURL = 1024
}
