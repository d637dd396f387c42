package import Wire

/// A connection as the chat shows it: a value that replaces the one before with the same id.
package struct ConnectionRow: Equatable, Sendable {
    /// Who dialled.
    package enum Direction: String, Sendable { case inbound = "in", outbound = "out" }
    /// How far it is; the last one of each connection is `closed` or `failed`.
    package enum State: String, Sendable { case dialing, securing, open, closed, failed }

    /// Names the connection for its lifetime.
    package let id: UInt64
    /// The other side, as far as known.
    package var peer: PeerID?
    /// Who dialled.
    package var direction: Direction
    /// `tcp`, …
    package var transport: String
    /// The remote address.
    package var address: String
    /// How far it is.
    package var state: State
    /// What the peer calls its software; made safe by the reducer.
    package var agent: String?
    /// The last round trip, in milliseconds.
    package var roundTrip: Double?
    /// When it became open, in unix milliseconds.
    package var openSince: Int64?
    /// Bytes received.
    package var bytesIn: UInt64 = 0
    /// Bytes sent.
    package var bytesOut: UInt64 = 0
    /// Why it closed or failed, in plain words.
    package var reason: String?

    /// A row; what is not known yet is set later.
    package init(
        id: UInt64, peer: PeerID?, direction: Direction, transport: String, address: String, state: State
    ) {
        self.id = id
        self.peer = peer
        self.direction = direction
        self.transport = transport
        self.address = address
        self.state = state
    }
}
