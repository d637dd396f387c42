import Node
import Runtime
import Wire

/// `swift-peer identify`: who a peer says it is, and how the connection was made.
struct IdentifyTool {
    let address: Multiaddr
    let json: Bool

    func run(_ dialling: Dialling = Dialling()) throws(Failure) -> ProcessStatus {
        let (json, address) = (json, address)
        return try ToolRun.run(address, dialling) { peer, id throws(PeerError) in
            let info = try await peer.identify(id)
            let connection = await peer.snapshot().connections.first { $0.peer == id }
            let fields = IdentifyFields(info: info, connection: connection, dialled: address)
            print(json ? fields.json : fields.text)
            return .success
        }
    }
}

/// What `identify` prints.
struct IdentifyFields {
    let info: IdentifyInfo
    let connection: ConnectionInfo?
    let dialled: Multiaddr

    /// One object in one line.
    var json: String {
        var object = JSONObject()
        object.add("peer", info.peer.description)
        object.add("agent", info.agentVersion)
        object.add("protocolVersion", info.protocolVersion)
        object.add("protocols", info.protocols)
        object.add("addresses", info.listenAddresses.map(\.description))
        object.add("observed", info.observedAddress?.description)
        object.add("transport", connection?.transport)
        if let connection { object.add(stepsOf: connection) }
        object.add("address", (connection?.address ?? dialled).description)
        return object.line
    }

    /// A line a fact, lists indented. The peer's words are made harmless.
    var text: String {
        var lines = ["peer: \(info.peer)", "agent: \((info.agentVersion ?? "unknown").printableLine)"]
        lines.append("protocol version: \((info.protocolVersion ?? "unknown").printableLine)")
        lines += ["protocols:"] + info.protocols.map { "  " + $0.printableLine }
        lines += ["listens on:"] + info.listenAddresses.map { "  \($0.description.printableLine)" }
        lines.append("sees us as: \(info.observedAddress?.description.printableLine ?? "unknown")")
        let way = [connection?.transport ?? "tcp", connection?.detail].compactMap(\.self).joined(separator: " ")
        lines.append("connected by: \(way) to \(connection?.address ?? dialled)")
        if let phases = connection?.phases, !phases.isEmpty {
            let steps = phases.map { "\($0.name) \(JSONObject.number($0.duration.milliseconds)) ms" }
            lines.append("in these steps: " + steps.joined(separator: ", "))
        }
        return lines.joined(separator: "\n")
    }
}
