public import NIOCore
import Wire

/// Why a measurement failed.
package enum PerfError: Error, Equatable {
    /// Nothing moved for ``Limits/perfIdle``.
    case timedOut
    /// The stream ended before everything was sent or received: so many bytes came back.
    case closed(received: UInt64)
    /// More came back than was asked for.
    case tooMuch
}

/// What a measurement found.
public struct PerfResult: Equatable, Sendable {
    /// Bytes sent, without the eight that ask.
    public let uploaded: UInt64
    /// Bytes received.
    public let downloaded: UInt64
    /// From the first byte until the remote's answer began, which proves that it has everything.
    public let upload: TimeAmount
    /// From the beginning of the answer to its end; from the first byte when nothing was uploaded.
    public let download: TimeAmount
    /// From the first byte to the last.
    public let total: TimeAmount
}

/// The measuring side of one `/perf/1.0.0` stream: says how many bytes it wants, sends its own, closes, counts
/// (libp2p/specs perf).
///
///     header ─▶ uploading ─▶ downloading ─▶ done
///
/// The caller asks `writable` for more as long as its buffer has room, and hands in what arrives. Both directions
/// are counted and thrown away; the upload is one block of zeros, sent again and again. Holds nothing else.
package struct PerfClient {
    /// The protocol's id.
    package static let protocolID = "/perf/1.0.0"
    /// The one block of ``Limits/perfBlock`` zeros that every upload and download is made of.
    package static let zeros = ByteBuffer(repeating: 0, count: Limits.perfBlock)

    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// Send these bytes.
        case write(ByteBuffer)
        /// Everything was sent: close the writing half.
        case closeWrite
        /// The measurement is over; after a failure reset the stream.
        case finish(Result<PerfResult, PerfError>)
    }
    private enum State {
        case header
        case uploading(rest: UInt64, since: NIODeadline)
        case downloading(since: NIODeadline)
        case done
    }
    private var state = State.header
    private let wanted: UInt64
    private let offered: UInt64
    private var downloaded: UInt64 = 0
    /// When the first byte of the answer came.
    private var answered: NIODeadline?
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// Measures `upload` bytes there and `download` bytes back; no upper limit, both are streamed.
    package init(upload: UInt64, download: UInt64, now: NIODeadline) {
        wanted = download
        offered = upload
        deadline = now + Limits.perfIdle
    }

    /// There is room to write; to be called again, while there is room, until it answers `none`.
    package mutating func writable(now: NIODeadline) -> Action {
        switch state {
        case .header:
            state = .uploading(rest: offered, since: now)
            deadline = now + Limits.perfIdle
            return .write(ByteBuffer(integer: wanted))
        case .uploading(0, let since):
            state = .downloading(since: since)
            deadline = now + Limits.perfIdle
            return .closeWrite
        case .uploading(let rest, let since):
            let block = perfBlock(atMost: rest)
            state = .uploading(rest: rest - UInt64(block.readableBytes), since: since)
            deadline = now + Limits.perfIdle
            return .write(block)
        case .downloading, .done:
            return .none
        }
    }

    /// Bytes came; all of them are taken.
    package mutating func received(_ inbox: inout ByteBuffer, now: NIODeadline) -> Action {
        let count = UInt64(inbox.readableBytes)
        inbox.moveReaderIndex(to: inbox.writerIndex)
        if case .done = state { return .none }
        guard count > 0 else { return .none }
        guard count <= wanted - downloaded else { return fail(.tooMuch) }
        downloaded += count
        if answered == nil { answered = now }
        deadline = now + Limits.perfIdle
        return .none
    }

    /// The remote closed its writing half: the answer is complete.
    package mutating func ended(now: NIODeadline) -> Action {
        guard case .downloading(let since) = state else { return closed() }
        guard downloaded == wanted else { return fail(.closed(received: downloaded)) }
        let uploadedAt = answered ?? now
        finish()
        return .finish(
            .success(
                PerfResult(
                    uploaded: offered, downloaded: downloaded, upload: uploadedAt - since,
                    download: now - (offered > 0 ? uploadedAt : since), total: now - since)))
    }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        if case .done = state { return .none }
        return now >= deadline ? fail(.timedOut) : .none
    }

    /// The stream was reset, or its connection ended.
    package mutating func closed() -> Action {
        if case .done = state { return .none }
        return fail(.closed(received: downloaded))
    }

    private mutating func fail(_ error: PerfError) -> Action {
        finish()
        return .finish(.failure(error))
    }

    private mutating func finish() {
        state = .done
        deadline = .distantFuture
    }
}

/// At most `count` bytes of the zero block, sharing its storage.
func perfBlock(atMost count: UInt64) -> ByteBuffer {
    var block = PerfClient.zeros
    guard count < UInt64(Limits.perfBlock) else { return block }
    return block.readSlice(length: Int(count)) ?? ByteBuffer()
}
