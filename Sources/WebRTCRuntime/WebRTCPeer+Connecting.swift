import Engines
import ICE
import NIOCore
public import WebRTC
import Wire

/// Offer, answer, candidates.
extension WebRTCPeer {
    /// Begins as the end that offers.
    ///
    /// - Returns: the session description for the other end, with all host candidates in it.
    /// - Throws: `wrongState` when it has begun already, `system` when no socket could be had.
    public func createOffer() throws(WebRTCError) -> String {
        try begin(.controlling).makeOffer().text
    }

    /// Begins as the end that answers.
    ///
    /// - Parameter offer: the other end's session description.
    /// - Returns: ours, for the other end.
    /// - Throws: `invalidDescription`, `wrongState`, `system`.
    public func accept(offer: String) throws(WebRTCError) -> String {
        let description = try Self.read(.offer, offer)
        let answer = try begin(.controlled).accept(offer: description, now: .now())
        drain()
        return answer.text
    }

    /// Takes the answer to ``createOffer()``.
    ///
    /// - Throws: `invalidDescription`; `wrongState` when there was no offer.
    public func accept(answer: String) throws(WebRTCError) {
        let description = try Self.read(.answer, answer)
        try standing().accept(answer: description, now: .now())
        drain()
    }

    /// Adds a candidate of the remote that was not in its description: `candidate:…`, with or without `a=` before it.
    ///
    /// One of no use to us (TCP, a name of mDNS) is ignored. An empty line says that no more come.
    ///
    /// - Throws: `invalidCandidate`, `wrongState`.
    public func add(candidate line: String) throws(WebRTCError) {
        let connection = try standing()
        guard !line.isEmpty else {
            connection.handle(.endOfRemoteCandidates, now: .now())
            return drain()
        }
        do throws(CandidateError) {
            connection.handle(.remoteCandidate(try ICECandidate(parsing: line)), now: .now())
        } catch .unusable {
            return
        } catch {
            throw WebRTCError(.invalidCandidate, "that is no candidate")
        }
        drain()
    }

    /// Our candidates as far as they are known: those of ``createOffer()`` and the ones servers told since.
    ///
    /// For a remote that takes no candidates later: its description is made of these.
    public var localCandidates: [String] { connection?.localCandidates.map { "\($0)" } ?? [] }

    /// Whether servers may still tell of more candidates.
    public var isGathering: Bool { connection?.isGathering ?? false }

    /// Waits until channels work.
    ///
    /// - Throws: what ended the connection instead.
    public func connected() async throws(WebRTCError) {
        let result: Result<Void, WebRTCError> = await withTaskCancellationHandler {
            await withCheckedContinuation { waiting in
                if case .failure(let error)? = end { return waiting.resume(returning: .failure(error)) }
                if end != nil { return waiting.resume(returning: .failure(.closed)) }
                if connection?.state == .connected || connection?.state == .disconnected {
                    return waiting.resume(returning: .success(()))
                }
                connectWaiters.append(waiting)
                if Task.isCancelled { wakeConnectors(.failure(.cancelled)) }
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.wakeConnectors(.failure(.cancelled)) } }
        }
        try result.get()
    }

    /// Where it stands.
    public var state: PeerConnectionState {
        if let connection { return connection.state }
        return switch end {
        case nil: .new
        case .success?: .closed
        case .failure?: .failed
        }
    }

    /// Figures as they are now, or were at the end; nil before the beginning.
    public func statistics() -> PeerConnectionStatistics? { connection?.statistics ?? lastStatistics }

    private static func read(
        _ kind: SessionDescription.Kind, _ text: String
    ) throws(WebRTCError) -> SessionDescription {
        do throws(SessionDescriptionError) {
            return try SessionDescription(kind, parsing: text)
        } catch {
            throw WebRTCError(.invalidDescription, error.description)
        }
    }

    /// The connection that has begun.
    func standing() throws(WebRTCError) -> PeerConnection {
        if let connection { return connection }
        if let end {
            try end.get()
            throw .closed
        }
        throw WebRTCError(.wrongState, "there was neither offer nor answer yet")
    }

    /// Opens the sockets and makes the connection.
    private func begin(_ role: ICERole) throws(WebRTCError) -> PeerConnection {
        guard connection == nil, end == nil else { throw WebRTCError(.wrongState, "this peer has begun already") }
        let stunServers = try configuration.stunServers.map { (text) throws(WebRTCError) in
            let (url, address) = try Self.server(text)
            guard url.kind == .stun else { throw WebRTCError(.invalidArgument, "\(text) names no STUN server") }
            return address
        }
        let turnServers = try configuration.turnServers.map { (text) throws(WebRTCError) in
            let (url, address) = try Self.server(text)
            guard let server = url.turnServer(at: address) else {
                throw WebRTCError(.invalidArgument, "this names no TURN server with user and password")
            }
            return server
        }
        try bindSockets()
        var settings = PeerConnectionConfiguration(
            configuration.isLite ? .lite : .full(role), localAddresses: sockets.map(\.localAddress))
        settings.stunServers = stunServers
        settings.turnServers = turnServers
        settings.usesOnlyRelay = configuration.usesOnlyRelay
        settings.largestMessage = min(max(configuration.largestMessage, 1), Limits.sctpMessage)
        settings.channels = min(max(configuration.channels, 1), Limits.dataChannels)
        let connection = PeerConnection(
            configuration: settings, engines: SystemEngines(certificate: configuration.certificate ?? .generate()),
            entropy: .system, now: .now())
        self.connection = connection
        drain()
        return connection
    }

    /// Reads a server's URL. What is wrong with one is told without it: there may be a password in it.
    private static func server(_ text: String) throws(WebRTCError) -> (ICEServerURL, TransportAddress) {
        let url: ICEServerURL
        do throws(ICEServerURLError) {
            url = try ICEServerURL(parsing: text)
        } catch {
            throw WebRTCError(.invalidArgument, "that is no URL of a STUN or TURN server: \(error)")
        }
        guard let address = url.address else {
            throw WebRTCError(.invalidArgument, "a server is named by its IP address here, not by \(url.host)")
        }
        return (url, address)
    }

    /// What a TURN server is to be told over TCP.
    func perform(_ command: TURNPipe.Command, _ id: TURNPipe.ID) {
        switch command {
        case .connect(let address):
            relayPipes[id] = RelayPipe(to: address, on: loop) { event in
                self.connection?.handle(.relayPipe(id, event), now: .now())
                self.drain()
            }
        case .send(let frame): relayPipes[id]?.send(frame)
        case .close: relayPipes.removeValue(forKey: id)?.close()
        }
    }

    private func bindSockets() throws(WebRTCError) {
        var failure: DatagramSocketError?
        for ip in try hostAddresses().prefix(Limits.hostAddresses) {
            do throws(DatagramSocketError) {
                let socket = try DatagramSocket(
                    bindingTo: TransportAddress(ip, port: configuration.port), on: loop,
                    offload: configuration.usesOffload)
                socket.start { train, remote, local in
                    self.received(train, on: ICEPath(local: local, remote: remote))
                } readEnded: {
                    self.arm()
                }
                sockets.append(socket)
            } catch { failure = error }
        }
        guard sockets.isEmpty else { return }
        throw WebRTCError(.system, failure?.description ?? "this machine has no address of use")
    }

    private func hostAddresses() throws(WebRTCError) -> [IPAddress] {
        if let texts = configuration.hostAddresses {
            let addresses = texts.compactMap { IPAddress($0) }
            guard addresses.count == texts.count, !addresses.contains(where: \.isUnspecified) else {
                throw WebRTCError(.invalidArgument, "not an IP address of this machine: \(texts)")
            }
            return addresses
        }
        let devices = (try? System.enumerateDevices()) ?? []
        let all = devices.compactMap { $0.address.flatMap { TransportAddress($0) }?.ip }
            .filter { !$0.isLinkLocal && !$0.isUnspecified && !$0.isMulticast }
        let others = all.filter { !$0.isLoopback }
        return others.isEmpty ? all : others
    }
}
