import Channels
import DequeModule
package import NIOCore
package import Wire

/// How often sources may ask for a new session: a budget for each, and one for all together.
///
/// A source is an IPv4 address or an IPv6 network of 64 bits, which one customer has as easily as one address.
///
/// Limits: `Limits.firstContactSources` sources; when there are more, the one that came first is forgotten, so whoever
/// can send from many addresses meets the common budget only.
package struct FirstContacts {
    /// Who is counted as one.
    package enum Source: Hashable, Sendable {
        case v4(UInt32)
        case v6(network: UInt64)

        package init(_ address: IPAddress) {
            switch address.unmapped {
            case .v4(let address): self = .v4(address.number)
            case .v6(let address): self = .v6(network: address.high)
            }
        }
    }

    private var buckets: [Source: TokenBucket] = [:]
    private var order: Deque<Source> = []
    private var total = TokenBucket(
        capacity: Limits.firstContactBurstTotal, perSecond: Limits.firstContactsPerSecondTotal)

    package init() {}

    /// Sources that are counted.
    package var count: Int { buckets.count }

    /// Whether a source may have one more session made now.
    package mutating func admit(_ source: Source, now: NIODeadline) -> Bool {
        if buckets[source] == nil {
            if order.count >= Limits.firstContactSources, let oldest = order.popFirst() { buckets[oldest] = nil }
            buckets[source] = TokenBucket(
                capacity: Limits.firstContactBurst, perSecond: Limits.firstContactsPerSecond)
            order.append(source)
        }
        guard buckets[source]?.take(now: now) == true else { return false }
        return total.take(now: now)
    }
}
