package import NIOCore
package import Wire

/// The opening side of one `/libp2p/dcutr` stream, which is the side that was dialled through the relay
/// (libp2p/specs DCUtR).
///
///     asked ──CONNECT──▶ synchronized ──half a round trip──▶ done: dial
///       └─── error, closed, deadline ───▶ done
///
/// The round trip is measured from CONNECT to CONNECT. SYNC takes half of one to the other side, which dials as it
/// comes: so both dial at the same moment. Over TCP this side then acts as the one that was dialled, whoever's SYN
/// came first: what go and rust do.
package struct HolePunchInitiator {
    /// The protocol's id.
    package static let protocolID = "/libp2p/dcutr"

    /// What the caller does next.
    package enum Action: Equatable {
        case none
        /// Write, and wait for ``deadline``.
        case write(ByteBuffer)
        /// Close the stream and dial these addresses now.
        case dial([Multiaddr])
        /// Reset the stream.
        case failed(HolePunchError)
    }
    private enum State {
        case asked(NIODeadline)
        case synchronized([Multiaddr])
        case done
    }
    private var state: State
    private let addresses: [Multiaddr]
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// CONNECT is on its way: write ``opening``.
    package init(addresses: [Multiaddr], now: NIODeadline) {
        self.addresses = addresses
        state = .asked(now)
        deadline = now + Limits.holePunchTimeout
    }

    /// What to write to the stream first.
    package var opening: ByteBuffer {
        HolePunchMessage(.connect, addresses: Array(addresses.prefix(Limits.holePunchAddresses))).frame()
    }

    /// Bytes came; to be called again until it answers `none`.
    package mutating func received(_ inbox: inout ByteBuffer, now: NIODeadline) -> Action {
        switch state {
        case .done:
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        case .synchronized: return inbox.readableBytes == 0 ? .none : fail(.unexpected, &inbox)
        case .asked(let start):
            let message: HolePunchMessage?
            do throws(HolePunchError) { message = try inbox.readHolePunchMessage() } catch {
                return fail(error, &inbox)
            }
            guard let message else { return .none }
            guard message.kind == .connect else { return fail(.unexpected, &inbox) }
            state = .synchronized(message.addresses)
            deadline = now + .nanoseconds((now - start).nanoseconds / 2)
            return .write(HolePunchMessage(.sync).frame())
        }
    }

    /// The remote ended or refused the stream; after SYNC it has nothing more to say.
    package mutating func closed() -> Action {
        if case .asked = state { end(.failed(.closed)) } else { .none }
    }

    /// The deadline came: the moment to dial, when all went well.
    package mutating func timedOut(now: NIODeadline) -> Action {
        guard now >= deadline else { return .none }
        switch state {
        case .asked: return end(.failed(.timedOut))
        case .synchronized(let addresses): return end(.dial(addresses))
        case .done: return .none
        }
    }

    private mutating func fail(_ error: HolePunchError, _ inbox: inout ByteBuffer) -> Action {
        inbox.moveReaderIndex(to: inbox.writerIndex)
        return end(.failed(error))
    }

    private mutating func end(_ action: Action) -> Action {
        state = .done
        deadline = .distantFuture
        return action
    }
}

/// The accepting side of one `/libp2p/dcutr` stream, which is the side that dialled through the relay.
///
///     accepted ──CONNECT──▶ answered ──SYNC──▶ done: dial
///        └──── error, closed, deadline ────▶ done
package struct HolePunchResponder {
    /// What the caller does next.
    package enum Action: Equatable {
        case none
        case write(ByteBuffer)
        /// Close the stream and dial these addresses at once.
        case dial([Multiaddr])
        /// Reset the stream.
        case failed(HolePunchError)
    }
    private enum State {
        case accepted
        case answered([Multiaddr])
        case done
    }
    private var state = State.accepted
    private let addresses: [Multiaddr]
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// A peer opened a stream; `addresses` is where this side can be dialled.
    package init(addresses: [Multiaddr], now: NIODeadline) {
        self.addresses = addresses
        deadline = now + Limits.holePunchTimeout
    }

    /// Bytes came; to be called again until it answers `none`.
    package mutating func received(_ inbox: inout ByteBuffer, now: NIODeadline) -> Action {
        if case .done = state {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        }
        let message: HolePunchMessage?
        do throws(HolePunchError) { message = try inbox.readHolePunchMessage() } catch { return fail(error, &inbox) }
        guard let message else { return .none }
        switch (state, message.kind) {
        case (.accepted, .connect):
            state = .answered(message.addresses)
            deadline = now + Limits.holePunchTimeout
            let own = Array(addresses.prefix(Limits.holePunchAddresses))
            return .write(HolePunchMessage(.connect, addresses: own).frame())
        case (.answered(let addresses), .sync): return end(.dial(addresses))
        default: return fail(.unexpected, &inbox)
        }
    }

    /// The remote ended or reset the stream.
    package mutating func closed() -> Action {
        if case .done = state { .none } else { end(.failed(.closed)) }
    }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        if case .done = state { return .none }
        return now >= deadline ? end(.failed(.timedOut)) : .none
    }

    private mutating func fail(_ error: HolePunchError, _ inbox: inout ByteBuffer) -> Action {
        inbox.moveReaderIndex(to: inbox.writerIndex)
        return end(.failed(error))
    }

    private mutating func end(_ action: Action) -> Action {
        state = .done
        deadline = .distantFuture
        return action
    }
}
