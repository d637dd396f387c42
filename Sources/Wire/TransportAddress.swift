/// An IP address and a port of UDP or TCP: one end of a path.
package struct TransportAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let ip: IPAddress
    package let port: UInt16

    /// An address as given: a version 4 one mapped into version 6 stays mapped.
    package init(_ ip: IPAddress, port: UInt16) {
        (self.ip, self.port) = (ip, port)
    }

    /// `127.0.0.1:9095`, `[::1]:9095`.
    package var description: String {
        switch ip {
        case .v4: "\(ip):\(port)"
        case .v6: "[\(ip)]:\(port)"
        }
    }

    package static func < (left: TransportAddress, right: TransportAddress) -> Bool {
        (left.ip, left.port) < (right.ip, right.port)
    }
}
