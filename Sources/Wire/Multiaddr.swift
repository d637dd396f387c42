package import NIOCore

/// Where a peer can be reached and how, as a path of protocols: `/ip4/1.2.3.4/tcp/4001/p2p/12D3KooW…`
/// (multiformats/multiaddr).
///
/// An address has at least one component, and every component is one this program knows: an unknown code makes the
/// whole address unreadable, because nobody can tell where its value ends. Whatever was read is kept in its
/// canonical binary form; addresses are compared, hashed and ordered by that.
public struct Multiaddr: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The canonical binary form, at most ``Limits/multiaddr`` bytes.
    private let encoded: [UInt8]

    /// Reads text. A slash at the end, leading zeros of numbers, `ipfs` for `p2p`, and peer ids and certificate
    /// hashes in other bases are understood, and never written.
    public init(_ text: String) throws(MultiaddrError) {
        guard text.utf8.count <= Limits.multiaddrText else { throw .tooLong(limit: Limits.multiaddrText) }
        let slash = UInt8(ascii: "/")
        guard let first = text.utf8.first else { throw .empty }
        guard first == slash else { throw .missingLeadingSlash }
        var letters = text.utf8.dropFirst()
        while letters.last == slash { letters.removeLast() }
        guard !letters.isEmpty else { throw .empty }

        var components: [Component] = []
        var rest = letters.split(separator: slash, omittingEmptySubsequences: false).map { Substring($0) }[...]
        while let name = rest.popFirst() {
            guard components.count < Limits.multiaddrComponents else {
                throw .tooLong(limit: Limits.multiaddrComponents)
            }
            guard let code = MultiaddrProtocol(name: name) else { throw .unknownProtocol(String(name)) }
            if code.fixedLength == 0 {
                components.append(try Component(code))
            } else if rest.isEmpty {
                throw .missingValue(code.name)
            } else if case .path = code.form {
                components.append(try Component(code, rest.joined(separator: "/")))
                rest = []
            } else {
                components.append(try Component(code, String(rest.removeFirst())))
            }
        }
        try self.init(components)
    }

    /// Reads the binary form, which must be the whole of `bytes`.
    ///
    /// A `/p2p` that holds the bytes of a content id, as py-multiaddr 0.2.0 writes it, is understood.
    package init(bytes: ByteBuffer) throws(MultiaddrError) {
        guard bytes.readableBytes <= Limits.multiaddr else { throw .tooLong(limit: Limits.multiaddr) }
        var bytes = bytes
        var components: [Component] = []
        while let component = try Component(reading: &bytes) {
            guard components.count < Limits.multiaddrComponents else {
                throw .tooLong(limit: Limits.multiaddrComponents)
            }
            components.append(component)
        }
        try self.init(components)
    }

    /// An address of these components.
    package init(_ components: some Collection<Component>) throws(MultiaddrError) {
        guard !components.isEmpty else { throw .empty }
        guard components.count <= Limits.multiaddrComponents else {
            throw .tooLong(limit: Limits.multiaddrComponents)
        }
        var buffer = ByteBuffer()
        for (index, component) in components.enumerated() {
            // Text gives a path everything up to the end, so what stood behind one would become part of it.
            if case .path = component.code.form, index + 1 < components.count {
                throw .invalidValue(component.code.name)
            }
            component.write(to: &buffer)
        }
        guard buffer.readableBytes <= Limits.multiaddr else { throw .tooLong(limit: Limits.multiaddr) }
        encoded = Array(buffer.readableBytesView)
    }

    /// `/ip4/…/tcp/…` or `/ip6/…/tcp/…`.
    package init(_ ip: IPAddress, tcp port: UInt16) {
        var buffer = ByteBuffer()
        Component(ip).write(to: &buffer)
        Component.tcp(port).write(to: &buffer)
        encoded = Array(buffer.readableBytesView)
    }

    /// `/ip4/…/udp/…` or `/ip6/…/udp/…`.
    package init(_ ip: IPAddress, udp port: UInt16) {
        var buffer = ByteBuffer()
        Component(ip).write(to: &buffer)
        Component.udp(port).write(to: &buffer)
        encoded = Array(buffer.readableBytesView)
    }

    /// `/ip4/…/udp/…/webrtc-direct` or `/ip6/…`, without certificate hash.
    package init(_ ip: IPAddress, webRTCDirect port: UInt16) {
        var buffer = ByteBuffer()
        Component(ip).write(to: &buffer)
        Component.udp(port).write(to: &buffer)
        Component.webRTCDirect.write(to: &buffer)
        encoded = Array(buffer.readableBytesView)
    }

    /// `/p2p/<peer>` and nothing else: somebody, wherever that is.
    package init?(peer: PeerID) {
        guard let address = try? Multiaddr([Component(peer)]) else { return nil }
        self = address
    }

    /// What a person types to name somebody: an address, or a peer's id alone.
    package init(addressOrPeer text: String) throws(MultiaddrError) {
        if let peer = try? PeerID(text: text), let address = Multiaddr(peer: peer) {
            self = address
        } else {
            try self.init(text)
        }
    }

    /// The canonical binary form.
    package var bytes: ByteBuffer { ByteBuffer(bytes: encoded) }

    /// The components in order; never empty.
    package var components: [Component] {
        var buffer = ByteBuffer(bytes: encoded)
        var components: [Component] = []
        // What `encoded` holds was read or written by this type, so reading never throws here.
        while let component = try? Component(reading: &buffer) { components.append(component) }
        return components
    }

    /// The canonical text.
    public var description: String { components.map(\.description).joined() }

    /// The peer at the end of the path: the last `/p2p`, unless a `/p2p-circuit` follows it, which makes it the relay.
    public var peerID: PeerID? {
        let components = components
        guard let index = components.lastIndex(where: { $0.code == .p2p }) else { return nil }
        guard !components[index...].contains(where: { $0.code == .p2pCircuit }) else { return nil }
        return components[index].peerID
    }

    /// The address of the host at the start of the path, when it is a number.
    package var ip: IPAddress? { components.first?.ip }

    /// Whether the path leads through a relay.
    package var isCircuit: Bool { components.contains { $0.code == .p2pCircuit } }

    /// Whether it is `/p2p-circuit` and no more: through any relay, as listeners say.
    package var isAnyRelay: Bool { components.count == 1 && isCircuit }

    /// This address with one component more.
    package func appending(_ component: Component) throws(MultiaddrError) -> Multiaddr {
        try Multiaddr(components + [component])
    }

    /// This address with `/p2p/…` at its end: unchanged when it ends so already.
    package func appending(_ peer: PeerID) throws(MultiaddrError) -> Multiaddr {
        let last = Component(peer)
        let components = components
        return components.last == last ? self : try Multiaddr(components + [last])
    }

    /// This address followed by `inner`.
    package func encapsulating(_ inner: Multiaddr) throws(MultiaddrError) -> Multiaddr {
        try Multiaddr(components + inner.components)
    }

    /// This address without a `/p2p/…` at its end; nil when nothing else is there.
    package var withoutPeerID: Multiaddr? {
        let components = components
        guard components.last?.code == .p2p else { return self }
        return try? Multiaddr(components.dropLast())
    }

    /// Orders by the binary form.
    public static func < (left: Multiaddr, right: Multiaddr) -> Bool {
        left.encoded.lexicographicallyPrecedes(right.encoded)
    }
}
