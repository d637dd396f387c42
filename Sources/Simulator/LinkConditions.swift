package import NIOCore

/// What a virtual network does to what crosses it.
package struct LinkConditions: Sendable {
    /// One way.
    package var latency: TimeAmount
    /// Added to the latency, evenly spread from zero: it puts datagrams in another order.
    package var jitter: TimeAmount
    /// The share of datagrams that never arrive, 0…1. Pipes lose nothing: they stand for TCP.
    package var datagramLoss: Double
    /// The share of datagrams that arrive twice, 0…1.
    package var datagramDuplication: Double
    /// Bytes a second on each pipe and direction; nil: unlimited.
    package var bandwidth: Int?

    package init(
        latency: TimeAmount = .milliseconds(20), jitter: TimeAmount = .zero, datagramLoss: Double = 0,
        datagramDuplication: Double = 0, bandwidth: Int? = nil
    ) {
        self.latency = latency
        self.jitter = jitter
        self.datagramLoss = datagramLoss
        self.datagramDuplication = datagramDuplication
        self.bandwidth = bandwidth
    }
}
