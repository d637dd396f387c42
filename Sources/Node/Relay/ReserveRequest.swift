package import NIOCore
package import Wire

/// One stream to a relay that asks for a reservation (libp2p/specs circuit-v2).
///
///     asking ──STATUS OK, voucher genuine──▶ done (reserved)
///        └────── anything else, deadline ──▶ done (failed)
///
/// Limits: one message of 4096 bytes, ``Limits/reserveTimeout``. A voucher may be absent; one that is there is held
/// to its relay, this peer and the time. Does not renew: see ``RelayClient``.
///
/// A fresh grant that ended up to ``Limits/clockSkew`` ago shows clocks that differ, as it came over a connection to
/// this relay just now: it counts for ``Limits/skewedReservation``, as long as its voucher ends when it does.
package struct ReserveRequest: Sendable {
    /// What was granted.
    package struct Granted: Equatable, Sendable {
        /// When it ends, in seconds since 1970: the reservation's word or the voucher's, whichever is sooner.
        package var expires: UInt64
        /// It has ended by our clock: that, or the relay's, is wrong, and how long it lasts is a guess.
        package var isSkewed = false
        /// Where the relay says it can be reached.
        package var addresses: [Multiaddr]
        /// What circuits of the reservation may carry; nil without bounds.
        package var limit: RelayLimit?

        package init(expires: UInt64, addresses: [Multiaddr], limit: RelayLimit?) {
            (self.expires, self.addresses, self.limit) = (expires, addresses, limit)
        }
    }
    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// Close the stream.
        case reserved(Granted)
        /// Reset the stream.
        case failed(RelayError)
    }
    private let relay: PeerID
    private let own: PeerID
    /// When ``timedOut(now:)`` is due; `.distantFuture` when it is over.
    package private(set) var deadline: NIODeadline
    private var isDone: Bool { deadline == .distantFuture }

    /// A stream to `relay` was opened.
    package init(to relay: PeerID, own: PeerID, now: NIODeadline) {
        (self.relay, self.own) = (relay, own)
        deadline = now + Limits.reserveTimeout
    }

    /// What is written first.
    package static var opening: ByteBuffer { HopMessage(.reserve).frame() }

    /// Bytes came, at so many seconds since 1970.
    package mutating func received(_ inbox: inout ByteBuffer, unixSeconds: UInt64) -> Action {
        guard !isDone else {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        }
        switch HopMessage.read(from: &inbox) {
        case nil: return .none
        case .failure(let error)?: return end(.failed(error))
        case .success(let message)?:
            do throws(RelayError) { return end(.reserved(try granted(by: message, at: unixSeconds))) } catch {
                return end(.failed(error))
            }
        }
    }

    private func granted(by message: HopMessage, at now: UInt64) throws(RelayError) -> Granted {
        guard message.kind == .status else { throw .unexpectedMessage }
        let status = message.status ?? RelayStatus(code: 0)
        guard status == .ok else { throw .refused(status) }
        guard let reservation = message.reservation else { throw .malformed(.missing(field: 3)) }
        let isSkewed = reservation.expires <= now
        guard !isSkewed || now - reservation.expires <= Limits.clockSkew else { throw .expired }
        var granted = Granted(
            expires: isSkewed ? now + Limits.skewedReservation : reservation.expires,
            addresses: reservation.addresses, limit: message.limit.flatMap { $0.isBounded ? $0 : nil })
        granted.isSkewed = isSkewed
        guard let envelope = reservation.voucher else { return granted }
        do throws(VoucherError) {
            let least = isSkewed ? reservation.expires - min(reservation.expires, Limits.voucherLead) : now
            let voucher = try ReservationVoucher(opening: envelope, from: relay, for: own, now: least)
            if !isSkewed { granted.expires = min(granted.expires, voucher.expires) }
            return granted
        } catch { throw .voucher(error) }
    }

    /// The remote ended or reset the stream, or does not speak the protocol.
    package mutating func closed(isRefused: Bool) -> Action {
        isDone ? .none : end(.failed(isRefused ? .unsupported : .closed))
    }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action { now >= deadline ? end(.failed(.timedOut)) : .none }

    private mutating func end(_ action: Action) -> Action {
        deadline = .distantFuture
        return action
    }
}

extension HopMessage {
    /// The message at the start of an inbox; nil while it is not all there.
    static func read(from inbox: inout ByteBuffer) -> Result<HopMessage, RelayError>? {
        do throws(FramingError) {
            guard let frame = try inbox.readFrame(limit: Limits.relayMessage) else { return nil }
            do throws(ProtobufError) { return .success(try HopMessage(protobuf: frame)) } catch {
                return .failure(.malformed(error))
            }
        } catch { return .failure(.framing(error)) }
    }
}

extension StopMessage {
    /// The message at the start of an inbox; nil while it is not all there.
    static func read(from inbox: inout ByteBuffer) -> Result<StopMessage, RelayError>? {
        do throws(FramingError) {
            guard let frame = try inbox.readFrame(limit: Limits.relayMessage) else { return nil }
            do throws(ProtobufError) { return .success(try StopMessage(protobuf: frame)) } catch {
                return .failure(.malformed(error))
            }
        } catch { return .failure(.framing(error)) }
    }
}
