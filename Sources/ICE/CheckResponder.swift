import NIOCore
import Wire

/// The answering half of connectivity checks (RFC 8445 §7.3), the same for full and lite agents.
///
///     request ──USERNAME not ours, integrity missing or wrong, or a copy──▶ dropped, in silence
///             ──a required attribute nobody knows──▶ refused with 420
///             ──▶ genuine: to be answered by `success` or `roleConflict`
///
/// Nothing unauthenticated is answered: whoever does not know the password learns nothing and reflects nothing. Every
/// answer is protected by the same password and not longer than its request by more than an address and an error.
/// It knows of no pairs and no roles.
struct CheckResponder {
    enum Verdict {
        case dropped
        case refused(ByteBuffer)
        /// With the remote's username fragment.
        case genuine(remoteUfrag: String)
    }

    /// Our username fragment and the colon.
    private let prefix: [UInt8]
    private let key: STUNKey
    private var recent = RecentRequests()

    init(local: ICECredentials) {
        prefix = Array(local.ufrag.utf8) + [UInt8(ascii: ":")]
        key = STUNKey(password: local.password)
    }

    /// Judges a Binding request. `remoteUfrag` must be the second half of its USERNAME, if it is known already.
    mutating func received(_ message: STUNMessage, on path: ICEPath, remoteUfrag: String?) -> Verdict {
        guard let username = message.username, username.utf8.starts(with: prefix) else { return .dropped }
        let remote = String(decoding: username.utf8.dropFirst(prefix.count), as: UTF8.self)
        guard remoteUfrag == nil || remote == remoteUfrag, !recent.isCopy(message.transaction, on: path),
            message.isAuthentic(by: key)
        else { return .dropped }
        recent.note(message.transaction, on: path)
        let unknown = message.unknownRequired
        guard unknown.isEmpty else {
            return .refused(
                answer(.error, message, [.errorCode(.unknownAttribute), .unknownAttributes(unknown)]))
        }
        return .genuine(remoteUfrag: remote)
    }

    func success(_ message: STUNMessage, on path: ICEPath) -> ByteBuffer {
        answer(.success, message, [.xorMappedAddress(path.remote)])
    }

    func roleConflict(_ message: STUNMessage) -> ByteBuffer {
        answer(.error, message, [.errorCode(.roleConflict)])
    }

    private func answer(
        _ messageClass: STUNMessage.Class, _ request: STUNMessage, _ attributes: [STUNAttribute]
    ) -> ByteBuffer {
        STUNMessage(messageClass, transaction: request.transaction, attributes: attributes).encoded(key: key)
    }
}
