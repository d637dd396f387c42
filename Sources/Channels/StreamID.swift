/// The name of one stream within its connection.
///
/// Over Yamux it is the number on the wire: the dialer's streams are odd, the listener's even.
package struct StreamID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number on the wire.
    package let number: UInt32

    package init(_ number: UInt32) { self.number = number }

    package var description: String { "\(number)" }

    package static func < (left: StreamID, right: StreamID) -> Bool { left.number < right.number }
}

/// Which end of a connection we are: the one that dialed, or the one that was dialed.
package enum Role: Sendable, Equatable {
    case dialer
    case listener
}
