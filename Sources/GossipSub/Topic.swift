import NIOCore
import Wire

/// The name of a topic. Compared and ordered by its UTF-8 bytes: two names that merely look alike are two topics.
package struct Topic: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The name, as it stands in RPCs and under signatures.
    package let name: String

    /// The chat everyone is in.
    package static let chat: Topic = "universal-connectivity"
    /// Where peers announce their addresses.
    package static let discovery: Topic = "universal-connectivity-browser-peer-discovery"

    package init(_ name: String) { self.name = name }
    package init(stringLiteral name: String) { self.name = name }

    /// The topic a remote wrote; nil when it is empty, longer than `Limits.gossipTopic`, or not UTF-8.
    init?(wire bytes: ByteBuffer) {
        guard (1...Limits.gossipTopic).contains(bytes.readableBytes),
            let name = String(validating: bytes.readableBytesView, as: UTF8.self)
        else { return nil }
        self.name = name
    }

    /// Whether a peer may be told of it: neither empty nor longer than `Limits.gossipTopic`.
    package var isValid: Bool { (1...Limits.gossipTopic).contains(name.utf8.count) }

    /// Whether the network uses the topic for something other than chat: peer discovery and file announcements
    /// (`X-file` belongs to room `X`).
    package var isReserved: Bool { self == .discovery || name.hasSuffix("-file") }

    package var description: String { name }

    package static func == (left: Topic, right: Topic) -> Bool { left.name.utf8.elementsEqual(right.name.utf8) }
    package static func < (left: Topic, right: Topic) -> Bool {
        left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }
    package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
