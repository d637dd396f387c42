package import NIOCore
package import Wire

/// Why an AutoNAT stream came to nothing; each ends the stream, none the connection.
package enum AutoNATError: Error, Equatable {
    case timedOut
    /// The stream ended before the last message was whole, or the peer does not speak the protocol.
    case closed
    /// A length that is no varint, or above ``Limits/autoNATMessage``.
    case framing(FramingError)
    case malformed(ProtobufError)
    /// A message that has no place there, an index that was not asked about, or data that was not asked for.
    case unexpected
    /// The server wants more than ``Limits/autoNATDataMost``.
    case tooMuchData(UInt64)
}

/// The names of the two protocols.
package enum AutoNAT {
    /// Client to server: can these addresses be dialled?
    package static let requestProtocol = "/libp2p/autonat/2/dial-request"
    /// Server to client, on the connection that proves it.
    package static let dialBackProtocol = "/libp2p/autonat/2/dial-back"
}

/// The asking side of one `dial-request` stream (libp2p/specs autonat v2).
///
///     asked ──dial response──▶ done
///       └──data request──▶ paid ──dial response──▶ done
///
/// Pays at most once and at most ``Limits/autoNATDataMost`` bytes. Whether the dial-back came, with the right nonce,
/// is the caller's to know: a server that says it succeeded proves nothing.
package struct AutoNATClient {
    /// What the caller does next.
    package enum Action: Equatable {
        case none
        case write(ByteBuffer)
        /// Close the stream: what became of the address with this index.
        case dialed(index: Int, AutoNATDialStatus)
        /// Close the stream: the server did not try.
        case refused(AutoNATStatus)
        /// Reset the stream.
        case failed(AutoNATError)
    }
    private enum State { case asked, paid, done }
    private var state = State.asked
    private let addresses: [Multiaddr]
    private let nonce: UInt64
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// The question is on its way: write ``question``.
    package init(addresses: [Multiaddr], nonce: UInt64, now: NIODeadline) {
        self.addresses = Array(addresses.prefix(Limits.autoNATAsked))
        self.nonce = nonce
        deadline = now + Limits.autoNATAnswerTimeout
    }

    /// What to write to the stream first.
    package var question: ByteBuffer { AutoNATMessage.dialRequest(addresses, nonce: nonce).frame() }

    /// Bytes came; to be called again until it answers `none`.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        guard state != .done else {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        }
        let message: AutoNATMessage?
        do throws(AutoNATError) { message = try inbox.readAutoNATMessage() } catch { return fail(error, &inbox) }
        switch message {
        case nil: return .none
        case .dialDataRequest(let index, let bytes):
            guard state == .asked, addresses.indices.contains(index) else { return fail(.unexpected, &inbox) }
            guard bytes <= UInt64(Limits.autoNATDataMost) else { return fail(.tooMuchData(bytes), &inbox) }
            state = .paid
            return .write(Self.payment(Int(bytes)))
        case .dialResponse(.ok, let index, let status):
            guard addresses.indices.contains(index), status != .unused else { return fail(.unexpected, &inbox) }
            return end(.dialed(index: index, status))
        case .dialResponse(let status, _, _): return end(.refused(status))
        case .dialRequest, .dialDataResponse: return fail(.unexpected, &inbox)
        }
    }

    private static func payment(_ bytes: Int) -> ByteBuffer {
        var frames = ByteBuffer()
        var rest = bytes
        while rest > 0 {
            let count = min(rest, Limits.autoNATDataBlock)
            frames.writeImmutableBuffer(
                AutoNATMessage.dialDataResponse(ByteBuffer(repeating: 0, count: count)).frame())
            rest -= count
        }
        return frames
    }

    /// The remote ended or refused the stream, or its connection ended.
    package mutating func closed() -> Action { state == .done ? .none : end(.failed(.closed)) }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        state == .done || now < deadline ? .none : end(.failed(.timedOut))
    }

    private mutating func fail(_ error: AutoNATError, _ inbox: inout ByteBuffer) -> Action {
        inbox.moveReaderIndex(to: inbox.writerIndex)
        return end(.failed(error))
    }

    private mutating func end(_ action: Action) -> Action {
        state = .done
        deadline = .distantFuture
        return action
    }
}

extension ByteBuffer {
    /// Reads one message of a dial-request stream; nil while it is not all there.
    mutating func readAutoNATMessage() throws(AutoNATError) -> AutoNATMessage? {
        guard let frame = try readAutoNATFrame() else { return nil }
        do throws(ProtobufError) { return try AutoNATMessage(protobuf: frame) } catch { throw .malformed(error) }
    }

    /// Reads one message of either protocol as bytes; nil while it is not all there.
    mutating func readAutoNATFrame() throws(AutoNATError) -> ByteBuffer? {
        do throws(FramingError) { return try readFrame(limit: Limits.autoNATMessage) } catch { throw .framing(error) }
    }
}
