import ICE
import NIOCore
import Wire

/// STUN messages, alone and as checks that a lite agent hears.
enum STUNFuzz {
    private static let password = "VOkJxbRl1RmTxUk/WvJxBt"

    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let datagram = ByteBuffer(bytes: input)
        if let message = try? STUNMessage(parsing: datagram) {
            precondition(STUNMessage.isSTUN(datagram), "read what is no STUN")
            precondition(message.attributes.count <= Limits.stunAttributes, "more attributes than allowed")
            _ = message.isAuthentic(by: STUNKey(password: password))
            _ = message.unknownRequired
        }
        _ = STUNMessage.username(of: datagram)
        guard let local = IPAddress("192.0.2.1"), let remote = IPAddress("192.0.2.2") else { return }
        let path = ICEPath(local: TransportAddress(local, port: 1), remote: TransportAddress(remote, port: 2))
        let agent = ICELiteAgent(local: ICECredentials(ufrag: "evtj", password: password))
        agent.handle(.received(datagram, on: path), now: .uptimeNanoseconds(1))
        while agent.poll() != nil {}
    }
}

/// Candidate lines: what is read is written so that it is read again as the same.
enum CandidateFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        guard let candidate = try? ICECandidate(parsing: String(decoding: input, as: UTF8.self)) else { return }
        precondition((try? ICECandidate(parsing: candidate.description)) == candidate, "the line does not lead back")
    }
}
