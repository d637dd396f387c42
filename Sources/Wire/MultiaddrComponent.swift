import NIOCore

extension Multiaddr {
    /// One `/protocol` or `/protocol/value` of a multiaddr, always valid.
    package struct Component: Hashable, Sendable, CustomStringConvertible {
        /// What the component names.
        package let code: MultiaddrProtocol
        /// The value's bytes without their length; empty for a protocol without a value.
        package let value: [UInt8]

        private init(code: MultiaddrProtocol, canonical value: [UInt8]) {
            self.code = code
            self.value = value
        }

        /// A component from its value's text; nil as value for a protocol without one.
        package init(_ code: MultiaddrProtocol, _ text: String? = nil) throws(MultiaddrError) {
            guard code.fixedLength != 0 else {
                guard text == nil else { throw .invalidValue(code.name) }
                self.init(code: code, canonical: [])
                return
            }
            guard let text else { throw .missingValue(code.name) }
            // In the text of an address the slash before a path is the one after the name.
            let whole = if case .path = code.form { "/" + text } else { text }
            guard let value = code.value(fromText: Substring(whole)) else { throw .invalidValue(code.name) }
            guard value.count <= Limits.multiaddr else { throw .tooLong(limit: Limits.multiaddr) }
            self.init(code: code, canonical: value)
        }

        /// An `/ip4` or `/ip6`.
        package init(_ address: IPAddress) {
            switch address {
            case .v4: self.init(code: .ip4, canonical: address.bytes)
            case .v6: self.init(code: .ip6, canonical: address.bytes)
            }
        }

        /// A `/p2p`.
        package init(_ peer: PeerID) { self.init(code: .p2p, canonical: peer.bytes) }

        /// A `/certhash`.
        package init(certhash: Multihash) { self.init(code: .certhash, canonical: certhash.bytes) }

        /// A `/tcp`.
        package static func tcp(_ port: UInt16) -> Component { Component(code: .tcp, port: port) }
        /// A `/udp`.
        package static func udp(_ port: UInt16) -> Component { Component(code: .udp, port: port) }
        package static let p2pCircuit = Component(code: .p2pCircuit, canonical: [])
        package static let webRTC = Component(code: .webRTC, canonical: [])
        package static let webRTCDirect = Component(code: .webRTCDirect, canonical: [])
        package static let tls = Component(code: .tls, canonical: [])
        package static let ws = Component(code: .ws, canonical: [])

        private init(code: MultiaddrProtocol, port: UInt16) {
            self.init(code: code, canonical: [UInt8(truncatingIfNeeded: port >> 8), UInt8(truncatingIfNeeded: port)])
        }

        /// The address of an `/ip4` or `/ip6`.
        package var ip: IPAddress? {
            switch code {
            case .ip4, .ip6: IPAddress(bytes: value)
            default: nil
            }
        }

        /// The port of a `/tcp` or `/udp`.
        package var port: UInt16? {
            switch code {
            case .tcp, .udp: value.reduce(0) { $0 << 8 | UInt16($1) }
            default: nil
            }
        }

        /// The id of a `/p2p`.
        package var peerID: PeerID? { code == .p2p ? try? PeerID(bytes: value) : nil }

        /// The hash of a `/certhash`.
        package var certhash: Multihash? {
            code == .certhash ? try? Multihash(bytes: ByteBuffer(bytes: value)) : nil
        }

        /// Whether the component is a name that has to be looked up: `/dns`, `/dns4`, `/dns6` or `/dnsaddr`.
        package var isName: Bool {
            switch code {
            case .dns, .dns4, .dns6, .dnsaddr: true
            default: false
            }
        }

        /// The value as text; empty for a protocol without a value.
        package var text: String { code.text(of: value) }

        /// `/name` or `/name/value`.
        package var description: String { code.fixedLength == 0 ? "/\(code.name)" : "/\(code.name)/\(text)" }

        /// Reads one component; nil at the end of the address.
        init?(reading bytes: inout ByteBuffer) throws(MultiaddrError) {
            guard bytes.readableBytes > 0 else { return nil }
            let number = try Self.varint(&bytes)
            guard let code = MultiaddrProtocol(rawValue: number) else { throw .unknownCode(number) }
            var length = code.fixedLength ?? 0
            if code.fixedLength == nil {
                guard bytes.readableBytes > 0 else { throw .missingValue(code.name) }
                let announced = try Self.varint(&bytes)
                guard announced <= UInt64(bytes.readableBytes) else { throw .missingValue(code.name) }
                length = Int(announced)
            }
            guard let value = bytes.readBytes(length: length) else { throw .missingValue(code.name) }
            guard let canonical = code.value(fromBytes: value) else { throw .invalidValue(code.name) }
            self.init(code: code, canonical: canonical)
        }

        private static func varint(_ bytes: inout ByteBuffer) throws(MultiaddrError) -> UInt64 {
            let value: UInt64?
            do { value = try bytes.readUVarint() } catch { throw .malformedVarint }
            guard let value else { throw .malformedVarint }
            return value
        }

        /// Appends the binary form.
        func write(to buffer: inout ByteBuffer) {
            buffer.writeUVarint(code.rawValue)
            if code.fixedLength == nil { buffer.writeUVarint(UInt64(value.count)) }
            buffer.writeBytes(value)
        }
    }
}
