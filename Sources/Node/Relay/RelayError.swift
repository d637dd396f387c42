package import Wire

/// Why a request to a relay, or one of a relay to us, came to nothing; each ends the stream, none the connection.
package enum RelayError: Error, Equatable, Sendable {
    /// No answer in time.
    case timedOut
    /// The stream ended before the answer.
    case closed
    /// The other side does not speak the protocol.
    case unsupported
    /// A length that is no varint, or above ``Limits/relayMessage``.
    case framing(FramingError)
    /// What came is no message.
    case malformed(ProtobufError)
    /// A message of another kind than the one that belongs there.
    case unexpectedMessage
    /// The relay, or the peer behind it, refused.
    case refused(RelayStatus)
    /// A reservation that ended before it began.
    case expired
    /// A voucher that is not the relay's own about this peer.
    case voucher(VoucherError)

    /// In words a person can act on.
    package var words: String {
        switch self {
        case .timedOut: "the relay did not answer in time"
        case .closed: "the relay ended the request without an answer"
        case .unsupported: "that peer is no relay"
        case .framing, .malformed, .unexpectedMessage: "the relay broke its protocol"
        case .refused(let status): "\(status)"
        case .expired: "the relay gave a reservation that is over already"
        case .voucher(let error): "the relay's voucher is not genuine: \(error.words)"
        }
    }
}
