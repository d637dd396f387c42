package import NIOCore

/// The 12 bytes before every Yamux frame (hashicorp/yamux spec.md; libp2p/specs yamux/README.md), big endian:
/// `version 8 = 0 | type 8 | flags 16 | stream 32 | length 32`.
///
/// A leaf without state: reads one header when all of it is there. The length of a DATA frame is trusted only
/// after the session compared it with a window; nothing is allocated for it.
package struct YamuxHeader: Equatable, Sendable {
    /// What a frame is; the raw value is the number on the wire.
    package enum Kind: UInt8, Sendable {
        /// `length` bytes of a stream follow.
        case data = 0
        /// `length` is credit.
        case windowUpdate = 1
        /// `length` is an opaque value.
        case ping = 2
        /// `length` is a ``GoAway`` code.
        case goAway = 3
    }

    /// The flags; unknown ones are kept and ignored.
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }
        package static let syn = Flags(rawValue: 1)
        package static let ack = Flags(rawValue: 2)
        package static let fin = Flags(rawValue: 4)
        package static let rst = Flags(rawValue: 8)
    }

    /// Why a session ends.
    package enum GoAway {
        package static let normal: UInt32 = 0
        package static let protocolError: UInt32 = 1
    }

    package static let length = 12

    package var kind: Kind
    package var flags: Flags
    package var stream: UInt32
    package var length: UInt32

    package init(_ kind: Kind, _ flags: Flags = [], stream: UInt32, length: UInt32) {
        self.kind = kind
        self.flags = flags
        self.stream = stream
        self.length = length
    }

    /// Reads one header; nil, with nothing read, while it is not all there.
    package init?(from inbox: inout ByteBuffer) throws(YamuxError) {
        guard
            let (version, type, flags, stream, length) = inbox.readMultipleIntegers(
                as: (UInt8, UInt8, UInt16, UInt32, UInt32).self)
        else { return nil }
        guard version == 0 else { throw .unknownVersion(version) }
        guard let kind = Kind(rawValue: type) else { throw .unknownType(type) }
        self.init(kind, Flags(rawValue: flags), stream: stream, length: length)
    }

    package func write(to buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(UInt8(0), kind.rawValue, flags.rawValue, stream, length)
    }
}
