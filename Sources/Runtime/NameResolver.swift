import Glibc
package import NIOCore
import NIOPosix
import Node
import Wire

/// Answers the core's name queries: addresses by the system's resolver, which honours `/etc/hosts`; TXT records,
/// which it cannot ask for, by one datagram to the first name server of `/etc/resolv.conf` (RFC 1035 §4.2.1).
///
/// Every query has the deadline of the machine that asked; an answer that comes later is thrown away there.
extension Peer {
    /// Asks this server for TXT records instead of the system's.
    package func useNameServer(_ server: SocketAddress) { nameServer = server }

    func resolve(_ query: NameQuery) {
        switch query.kind {
        case .a: resolveAddresses(query, family: AF_INET)
        case .aaaa: resolveAddresses(query, family: AF_INET6)
        case .txt: resolveText(query)
        }
    }

    /// The system's resolver blocks, so it runs on NIO's thread pool.
    private func resolveAddresses(_ query: NameQuery, family: CInt) {
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { systemAddresses(of: query.name, family: family) }
            .whenComplete { result in
                let addresses = (try? result.get()) ?? nil
                self.assumeIsolated { $0.handle(.resolved(query.id, addresses?.map { .address($0) })) }
            }
    }

    private func resolveText(_ query: NameQuery) {
        guard let server = nameServer ?? systemNameServer(), let name = DNSName(query.name) else {
            return feed(.resolved(query.id, nil))
        }
        DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = TextQueryHandler(query: query, name: name, peer: self)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(to: server)
            .whenFailure { _ in self.assumeIsolated { $0.handle(.resolved(query.id, nil)) } }
    }
}

/// The addresses of a host, by whatever the system is configured to ask; nil when there are none.
private func systemAddresses(of host: String, family: CInt) -> [IPAddress]? {
    var hints = addrinfo()
    hints.ai_family = family
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &list) == 0, let list else { return nil }
    defer { freeaddrinfo(list) }
    var found: [IPAddress] = []
    var next: UnsafeMutablePointer<addrinfo>? = list
    while let entry = next, found.count < Limits.dnsRecords {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        if getnameinfo(
            entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0,
            let address = IPAddress(
                String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        {
            found.append(address)
        }
        next = entry.pointee.ai_next
    }
    return found
}

/// The first name server of this machine.
private func systemNameServer() -> SocketAddress? {
    guard let file = fopen("/etc/resolv.conf", "re") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, CInt(line.count), file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let words = text.split(whereSeparator: \.isWhitespace)
        if words.count >= 2, words[0] == "nameserver",
            let address = try? SocketAddress(ipAddress: String(words[1]), port: 53)
        {
            return address
        }
    }
    return nil
}
