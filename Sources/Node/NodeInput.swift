package import ICE
package import NIOCore
package import Wire

/// Names one connection, and the byte pipe beneath it, for the lifetime of the node.
package typealias ConnectionID = UInt64

/// Names a UDP socket of the node.
package enum SocketID: Hashable, Comparable, Sendable {
    /// One that is listened on; numbers are the runtime's.
    case listener(UInt32)
    /// The one made for a dial, or the first of those made for a signalled connection.
    case dialer(ConnectionID)
    /// The other of those: they are one for each version of IP.
    case second(ConnectionID)
}

/// A socket made for ``NodeCore/Output/openSockets(_:)``.
package struct OpenedSocket: Sendable {
    package let id: SocketID
    /// Where it is bound.
    package let local: TransportAddress
    /// This machine's addresses at which it is reached, loopback last.
    package let hosts: [IPAddress]

    package init(_ id: SocketID, local: TransportAddress, hosts: [IPAddress]) {
        (self.id, self.local, self.hosts) = (id, local, hosts)
    }
}

/// Names a request until its ``NodeCore/Output/completed(_:_:)``; chosen by the asker.
package typealias RequestID = UInt64

/// Names a stream of an application's own protocol.
package struct StreamKey: Hashable, Sendable {
    package let connection: ConnectionID
    package let stream: UInt32

    package init(connection: ConnectionID, stream: UInt32) {
        self.connection = connection
        self.stream = stream
    }
}

extension NodeCore {
    /// Everything that can happen to a node.
    package enum Input {
        /// The pipe of ``Output/connect(_:to:)`` stands.
        case pipeOpened(ConnectionID)
        /// The pipe of ``Output/connect(_:to:)`` could not be made.
        case pipeFailed(ConnectionID, reason: String)
        /// Bytes from a pipe, in order.
        case pipeReceived(ConnectionID, ByteBuffer)
        /// Whether a pipe takes bytes without queueing them.
        case pipeWritable(ConnectionID, Bool)
        /// A pipe ended; nothing follows.
        case pipeClosed(ConnectionID, reason: String?)
        /// The socket of ``Output/connect(_:to:)`` to a datagram address stands, bound here.
        case socketOpened(ConnectionID, local: TransportAddress)
        /// The sockets of ``Output/openSockets(_:)``, one for each version of IP; none: there are none to be had.
        case socketsOpened(ConnectionID, [OpenedSocket])
        /// What happened to a TCP connection of ``Output/relayPipe(_:_:_:)``.
        case relayPipe(ConnectionID, TURNPipe.ID, TURNPipe.Event)
        /// A socket that strangers may send to stands, bound here.
        case socketListens(UInt32, local: TransportAddress)
        /// What one remote sent to a socket. `to`: the address it sent them to, where the socket has several.
        case datagrams(Datagrams, from: TransportAddress, to: TransportAddress? = nil, on: SocketID)
        /// The addresses listened on, wildcards expanded to those of the interfaces.
        case listening([Multiaddr])
        /// Be reachable through a relay: `…/p2p/RELAY/p2p-circuit`. The relay is kept connected. `/p2p-circuit` alone is
        /// through any relay that this node is connected to.
        case listenThrough(Multiaddr)
        /// A datagram of multicast DNS, and whom it came from.
        case multicastReceived(ByteBuffer, from: String)
        /// The answer to ``Output/resolve(_:)``; nil when there is none.
        case resolved(NameQuery.ID, [AddressResolver.Record]?)
        /// Something the owner wants done, answered by ``Output/completed(_:_:)`` under the same id.
        case request(RequestID, Request)
        /// The owner no longer waits for a request.
        case cancel(RequestID)
        /// What the owner does on a stream of its own protocol.
        case stream(StreamKey, StreamCommand)
        /// What the wall clock says now, in nanoseconds since 1970.
        case wallClock(UInt64)
        /// ``NodeCore/deadline`` has come.
        case tick
    }

    /// What an owner can ask for.
    package enum Request {
        /// An address; one of nothing but `/p2p/ID` is looked for among what is known, then by Kademlia.
        case connect(Multiaddr)
        /// Where a peer is: its addresses, by Kademlia.
        case findPeer(PeerID)
        case disconnect(PeerID)
        case ping(PeerID)
        case identify(PeerID)
        case perf(PeerID, upload: UInt64, download: UInt64)
        case join(topic: String)
        case leave(topic: String)
        case publish(topic: String, ByteBuffer)
        case openStream(PeerID, protocols: [String])
        case shutdown
    }

    /// What an owner does on a stream of its own protocol.
    package enum StreamCommand {
        case write(ByteBuffer)
        case closeWrite
        case reset
        /// So many received bytes were used: the remote may send as many more.
        case consumed(Int)
    }

    /// What a node wants done or known.
    package enum Output {
        /// Make a byte pipe to this address, or a UDP socket from which it can be reached.
        case connect(ConnectionID, to: Multiaddr)
        /// Make UDP sockets from which a direct path to a peer is sought.
        case openSockets(ConnectionID)
        /// Make a TCP connection to a TURN server for such a path, or do something to it. It may take
        /// `Limits.turnConnectTimeout` to stand; `closePipe` ends those of a connection too.
        case relayPipe(ConnectionID, TURNPipe.ID, TURNPipe.Command)
        /// The same for a byte pipe, from the port that is listened on if that can be: routers then have one mapping
        /// for all pipes, and strangers who meet it meet the listener.
        case connectFromListener(ConnectionID, to: Multiaddr)
        case send(ConnectionID, ByteBuffer)
        /// `from` is what `to` of ``Input/datagrams(_:from:to:on:)`` was: a remote knows us by no other address.
        case sendDatagrams(Datagrams, from: TransportAddress, to: TransportAddress, on: SocketID)
        /// Flush what was sent, then end the pipe or the sockets, if there are any. Nothing more is said of this id.
        case closePipe(ConnectionID)
        case multicast(ByteBuffer)
        case resolve(NameQuery)
        case event(PeerEvent)
        case completed(RequestID, Result<Response, PeerError>)
        case stream(StreamKey, StreamEvent)
    }

    /// The answer to a ``Request``.
    package enum Response {
        case done
        case connected(PeerID)
        /// Where the peer was said to be, without `/p2p`.
        case addresses([Multiaddr])
        case pong(Duration)
        case identified(IdentifyInfo)
        case perf(PerfResult)
        case published(Published)
        case stream(StreamKey, protocol: String)
    }

    /// What happens on a stream of an application's own protocol.
    package enum StreamEvent {
        /// A peer opened it.
        case accepted(PeerID, protocol: String)
        case received(ByteBuffer)
        /// The peer has written all it will.
        case endOfStream
        /// What was written has left the send buffer.
        case writable
        /// Over, in good order or not; nothing follows.
        case closed(reset: Bool)
    }
}
