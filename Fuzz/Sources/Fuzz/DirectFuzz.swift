import ICE
import NIOCore
import Node
import Wire

/// Datagrams at a webrtc-direct listener, and the user names it takes credentials from.
enum DirectFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        if let credentials = DirectCredentials(username: String(decoding: input, as: UTF8.self)) {
            precondition(credentials.listener.ufrag == credentials.listener.password, "the listener has one name")
        }
        guard let local = IPAddress("192.0.2.1"), let remote = IPAddress("192.0.2.2") else { return }
        let path = ICEPath(local: TransportAddress(local, port: 1), remote: TransportAddress(remote, port: 2))
        var listener = DirectListener()
        _ = listener.received(Datagrams(ByteBuffer(bytes: input)), on: path, now: .uptimeNanoseconds(1))
        precondition(listener.sessionCount == 0, "a session nobody registered")
    }
}
