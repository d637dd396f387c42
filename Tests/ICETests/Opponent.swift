import ICE
import NIOCore
import Wire

/// Somebody at the other end who says exactly what a test wants: one agent and no network.
final class Opponent {
    let agent: ICEAgent
    let ours: ICECredentials
    let theirs: ICECredentials
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var entropy: Entropy
    let path = ICEPath(local: address("192.0.2.1:1"), remote: address("198.51.100.1:2"))
    private(set) var outputs: [ICEOutput] = []

    /// The agent under test has one base, the remote one candidate.
    init(
        role: ICERole = .controlled, seed: UInt64 = 1, configuration: ICEConfiguration = ICEConfiguration(),
        bases: [String] = [], introduced: Bool = true
    ) {
        entropy = .seeded(seed)
        (ours, theirs) = (ICECredentials(from: &entropy), ICECredentials(from: &entropy))
        agent = ICEAgent(role: role, local: ours, configuration: configuration, entropy: entropy.split())
        handle(.localCandidate(.host(path.local)))
        for (index, base) in bases.enumerated() {
            handle(.localCandidate(.host(address(base), localPreference: UInt16(65_534 - index))))
        }
        if introduced {
            handle(.remoteCandidate(.host(path.remote)))
            handle(.remoteCredentials(theirs))
        }
    }

    func handle(_ input: ICEInput) {
        agent.handle(input, now: now)
        while let output = agent.poll() { outputs.append(output) }
    }

    /// Takes what came out since the last time.
    func taken() -> [ICEOutput] {
        defer { outputs = [] }
        return outputs
    }

    /// Requests among what came out.
    func takeRequests() -> [(message: STUNMessage, path: ICEPath)] { takeMessages(.request) }

    func takeMessages(_ messageClass: STUNMessage.Class) -> [(message: STUNMessage, path: ICEPath)] {
        taken().compactMap {
            guard case .send(let bytes, let path) = $0, let message = try? STUNMessage(parsing: bytes),
                message.messageClass == messageClass
            else { return nil }
            return (message, path)
        }
    }

    /// Lets time pass, with every tick on the way.
    func wait(_ amount: TimeAmount) {
        let end = now + amount
        while agent.deadline <= end {
            now = max(now, agent.deadline)
            handle(.tick)
        }
        now = end
    }

    /// A check as the remote would send it.
    func check(
        role: ICERole? = nil, tieBreaker: UInt64 = 1, nominating: Bool = false, extra: [STUNAttribute] = [],
        id: STUNTransactionID? = nil, password: String? = nil, username: String? = nil
    ) -> ByteBuffer {
        var attributes: [STUNAttribute] = [
            .username(username ?? "\(ours.ufrag):\(theirs.ufrag)"), .priority(1_845_501_695),
        ]
        let role = role ?? (agent.statistics.role == .controlling ? .controlled : .controlling)
        attributes.append(role == .controlling ? .iceControlling(tieBreaker) : .iceControlled(tieBreaker))
        if nominating { attributes.append(.useCandidate) }
        return STUNMessage(
            .request, transaction: id ?? .random(from: &entropy), attributes: attributes + extra
        ).encoded(key: STUNKey(password: password ?? ours.password))
    }

    /// The remote's answer to a check.
    func answer(_ message: STUNMessage, on path: ICEPath, password: String? = nil) -> ByteBuffer {
        STUNMessage(
            .success, transaction: message.transaction, attributes: [.xorMappedAddress(path.local)]
        ).encoded(key: STUNKey(password: password ?? theirs.password))
    }

    /// Answers everything that was asked.
    func answerAll() {
        for (message, path) in takeRequests() { handle(.received(answer(message, on: path), on: path)) }
    }

    /// The path from the agent's first base to somewhere else.
    func path(to remote: String) -> ICEPath { ICEPath(local: path.local, remote: address(remote)) }
}
