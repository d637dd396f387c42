import NIOSSL

extension NIOSSLCertificate {
    /// Whether one of its DNS names is this one, a wildcard standing for exactly the leftmost label (RFC 9525 section
    /// 6.3). The common name counts for nothing, as with browsers and go.
    ///
    /// NIOSSL also believes a certificate for the IP address it is connected to when a name was asked for: whoever
    /// answers DNS wrongly could then show one for an address of their own.
    func isFor(_ name: String) -> Bool {
        let asked = Self.labels(name)
        return _subjectAlternativeNames().contains { alternative in
            guard alternative.nameType == .dnsName else { return false }
            let labels = Self.labels(String(decoding: alternative.contents, as: UTF8.self))
            guard labels.count == asked.count, labels.count > 0 else { return false }
            guard labels[0] == "*" else { return labels == asked }
            return labels.count > 2 && labels.dropFirst() == asked.dropFirst()
        }
    }

    private static func labels(_ name: String) -> [Substring] {
        var labels = name.lowercased().split(separator: ".", omittingEmptySubsequences: false)
        if labels.last == "" { labels.removeLast() }
        return labels
    }
}
