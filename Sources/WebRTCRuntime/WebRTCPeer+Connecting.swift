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
        var servers: [TransportAddress] = []
        for server in configuration.stunServers {
            guard let address = TransportAddress(server) else {
                throw WebRTCError(.invalidArgument, "\(server) is no address of a STUN server")
            }
            servers.append(address)
        }
        try bindSockets()
        var settings = PeerConnectionConfiguration(
            configuration.isLite ? .lite : .full(role), localAddresses: sockets.map(\.localAddress))
        settings.ice.servers = servers
        settings.largestMessage = min(max(configuration.largestMessage, 1), Limits.sctpMessage)
        settings.channels = min(max(configuration.channels, 1), Limits.dataChannels)
        let connection = PeerConnection(
            configuration: settings, engines: SystemEngines(certificate: configuration.certificate ?? .generate()),
            entropy: .system, now: .now())
        self.connection = connection
        drain()
        return connection
    }

    private func bindSockets() throws(WebRTCError) {
        var failure: DatagramSocketError?
        for ip in try hostAddresses().prefix(Limits.hostAddresses) {
            do throws(DatagramSocketError) {
                let socket = try DatagramSocket(
                    bindingTo: TransportAddress(ip, port: configuration.port), on: loop,
                    offload: configuration.usesOffload)
                let local = socket.localAddress
                socket.start { train, remote in
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
