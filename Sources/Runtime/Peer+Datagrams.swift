import ICE
import NIOCore
import Node
import WebRTCRuntime
import Wire

/// UDP sockets: one for each address listened on, one for each dial.
extension Peer {
    /// Listens for webrtc-direct.
    func listen(on ip: IPAddress, webRTCDirect port: UInt16) throws(PeerError) {
        do throws(DatagramSocketError) {
            let socket = try DatagramSocket(
                bindingTo: TransportAddress(ip, port: port), on: loop, tellsDestination: true)
            let number = UInt32(clamping: datagramListeners)
            datagramListeners += 1
            sockets[.listener(number)] = socket
            feed(.socketListens(number, local: socket.localAddress))
            read(socket, as: .listener(number))
            listenAddresses += expand(socket.localAddress.ip).map {
                Multiaddr($0, webRTCDirect: socket.localAddress.port)
            }
        } catch {
            throw PeerError(.system, "\(Multiaddr(ip, webRTCDirect: port)): \(error)")
        }
    }

    /// Makes the socket of a dial. It is of its own: two connections to one remote would not be told apart otherwise.
    func openSocket(_ id: ConnectionID, to ip: IPAddress) {
        let any: IPAddress =
            switch ip {
            case .v4: .v4(IPv4Address(0))
            case .v6: .v6(IPv6Address(high: 0, low: 0))
            }
        do throws(DatagramSocketError) {
            let socket = try DatagramSocket(bindingTo: TransportAddress(any, port: 0), on: loop)
            sockets[.dialer(id)] = socket
            read(socket, as: .dialer(id))
            feed(.socketOpened(id, local: socket.localAddress))
        } catch {
            feed(.pipeFailed(id, reason: "\(error)"))
        }
    }

    /// Makes the sockets of a signalled connection, one for each version of IP that this machine has.
    func openSockets(_ id: ConnectionID) {
        var opened: [OpenedSocket] = []
        let wildcards: [(SocketID, IPAddress)] = [
            (.dialer(id), .v4(IPv4Address(0))), (.second(id), .v6(IPv6Address(high: 0, low: 0))),
        ]
        for (name, any) in wildcards {
            let hosts = expand(any)
            guard !hosts.isEmpty, let socket = try? DatagramSocket(bindingTo: TransportAddress(any, port: 0), on: loop)
            else { continue }
            sockets[name] = socket
            read(socket, as: name)
            opened.append(OpenedSocket(name, local: socket.localAddress, hosts: hosts))
        }
        feed(.socketsOpened(id, opened))
    }

    /// Every train of a read is fed, and the core is drained once behind the last.
    private func read(_ socket: DatagramSocket, as id: SocketID) {
        socket.start(
            received: { datagrams, remote, local in
                self.feed(.datagrams(datagrams, from: remote, to: local, on: id))
            },
            readEnded: { self.drain() })
    }

    func closeSocket(_ id: SocketID) { sockets.removeValue(forKey: id)?.close() }

    func closeSockets() {
        for socket in sockets.values { socket.close() }
        sockets = [:]
        for id in Array(relayPipes.keys) { closeRelayPipes(of: id) }
    }

    // MARK: TURN servers over TCP

    /// Does what a connection wants of its TCP connection to a TURN server.
    func perform(_ command: TURNPipe.Command, on pipe: TURNPipe.ID, of id: ConnectionID) {
        switch command {
        case .connect(let address):
            relayPipes[id, default: [:]][pipe] = RelayPipe(to: address, on: loop) { event in
                if event == .closed { self.relayPipes[id]?[pipe] = nil }
                self.handle(.relayPipe(id, pipe, event))
            }
        case .send(let frame): relayPipes[id]?[pipe]?.send(frame)
        case .close: relayPipes[id]?.removeValue(forKey: pipe)?.close()
        }
    }

    /// Ends all of a connection that is over.
    func closeRelayPipes(of id: ConnectionID) {
        for pipe in relayPipes.removeValue(forKey: id)?.values ?? [:].values { pipe.close() }
    }
}
