package import NIOCore
import Wire

/// What a ``Connection`` may do, beyond the limits every connection has.
package struct ConnectionConfiguration: Sendable {
    /// The protocols inbound streams may negotiate; matched exactly.
    package var inboundProtocols: [String]
    /// Streams a remote may have open at once; more are refused with a reset.
    package var inboundStreams: Int
    /// How often the remote is pinged, for liveness and round-trip time.
    package var keepAliveInterval: TimeAmount

    package init(
        inboundProtocols: [String] = [], inboundStreams: Int = Limits.streamsPerConnection,
        keepAliveInterval: TimeAmount = Limits.keepAliveInterval
    ) {
        self.inboundProtocols = inboundProtocols
        self.inboundStreams = inboundStreams
        self.keepAliveInterval = keepAliveInterval
    }
}
