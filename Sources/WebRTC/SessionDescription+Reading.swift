import ICE
import Wire

extension SessionDescription {
    /// The attributes of one level that matter here.
    private struct Section {
        var media = ""
        var transport = ""
        var formats = ""
        var port: UInt16 = 0
        var values: [String: String] = [:]
        /// SHA-256 only; the first counts.
        var fingerprint: Fingerprint?
        var hasOtherFingerprint = false
        var candidates: [ICECandidate] = []
        var hasEnd = false

        var isDataChannels: Bool {
            media == "application" && transport.hasSuffix("DTLS/SCTP") && !(port == 0 && values["bundle-only"] == nil)
        }
    }

    /// Reads a description.
    package init(_ kind: Kind, parsing text: String) throws(SessionDescriptionError) {
        guard text.utf8.count <= Limits.sdp else { throw .tooLong }
        var sections = [Section()]
        var count = 0
        for line in text.utf8.split(whereSeparator: { $0 == 10 || $0 == 13 }) {
            count += 1
            guard count <= Limits.sdpLines else { throw .tooLong }
            let line = Substring(line)
            if count == 1, line != "v=0" { throw .notSDP }
            if line.hasPrefix("m=") {
                guard sections.count < Limits.sdpSections else { throw .tooLong }
                sections.append(Self.section(line.dropFirst(2)))
            } else if line.hasPrefix("a=") {
                Self.read(line.dropFirst(2), into: &sections[sections.count - 1])
            }
        }
        guard count > 0 else { throw .notSDP }
        guard let index = sections.dropFirst().firstIndex(where: \.isDataChannels) else { throw .noDataChannels }
        // With BUNDLE the transport may be described in another section only (RFC 9143 §7.1.3).
        let tagged = sections.dropFirst().first { $0.values["ice-ufrag"] != nil }
        try self.init(kind, sections[index], session: sections[0], tagged: tagged ?? sections[index])
        for (number, other) in sections.enumerated() where number > 0 && number != index {
            others.append(
                OtherSection(
                    isBefore: number < index, media: other.media, transport: other.transport, formats: other.formats,
                    mid: other.values["mid"]))
        }
    }

    private init(
        _ kind: Kind, _ media: Section, session: Section, tagged: Section
    ) throws(SessionDescriptionError) {
        let transport = media.values["ice-ufrag"] == nil && session.values["ice-ufrag"] == nil ? tagged : media
        func value(_ name: String) -> String? { transport.values[name] ?? session.values[name] }
        guard let ufrag = value("ice-ufrag") else { throw .missing("ice-ufrag") }
        guard let password = value("ice-pwd") else { throw .missing("ice-pwd") }
        let credentials = ICECredentials(ufrag: ufrag, password: password)
        guard credentials.isValid else { throw .unusable("ice-ufrag or ice-pwd") }
        guard let fingerprint = transport.fingerprint ?? session.fingerprint else {
            throw transport.hasOtherFingerprint || session.hasOtherFingerprint
                ? .unusable("fingerprint, which must be of sha-256") : .missing("fingerprint")
        }
        // RFC 8842 §5.5: an offer that does not say leaves the choice to us; an answer that does not say is active.
        let setup: Setup
        if let text = value("setup") {
            guard let known = Setup(rawValue: text), kind == .offer || known != .actpass else {
                throw .unusable("setup")
            }
            setup = known
        } else {
            setup = kind == .offer ? .actpass : .active
        }
        var port: UInt16 = 5000
        if let text = media.values["sctp-port"] ?? (media.transport == "DTLS/SCTP" ? media.formats : nil) {
            guard let number = UInt16(text) else { throw .unusable("sctp-port") }
            port = number
        }
        guard port == 5000 else { throw .unusable("sctp-port") }
        var largest = Limits.sctpMessageDefault
        if let text = media.values["max-message-size"] {
            guard let number = UInt64(text) else { throw .unusable("max-message-size") }
            largest = Int(clamping: number)
        }
        self.init(
            kind, credentials: credentials, fingerprint: fingerprint, setup: setup, mid: media.values["mid"] ?? "0",
            largestMessage: largest,
            candidates: Array((transport.candidates + session.candidates).prefix(Limits.iceRemoteCandidates)),
            hasAllCandidates: transport.hasEnd || session.hasEnd, isLite: session.values["ice-lite"] != nil)
    }

    /// The words behind `m=`.
    private static func section(_ line: Substring) -> Section {
        let words = line.split(separator: " ", maxSplits: 3)
        var section = Section()
        if words.count > 2 {
            section.media = String(words[0])
            section.port = UInt16(words[1].prefix { $0 != "/" }) ?? 0
            section.transport = String(words[2])
            section.formats = words.count > 3 ? String(words[3]) : ""
        }
        return section
    }

    /// The words behind `a=`. The first value of a name counts.
    private static func read(_ line: Substring, into section: inout Section) {
        let name = line.prefix { $0 != ":" }
        let value = line.dropFirst(name.count + 1)
        switch name {
        case "fingerprint":
            guard section.fingerprint == nil else { return }
            section.fingerprint = fingerprint(value)
            if section.fingerprint == nil { section.hasOtherFingerprint = true }
        case "candidate":
            guard section.candidates.count < Limits.iceRemoteCandidates else { return }
            if let candidate = try? ICECandidate(parsing: line) { section.candidates.append(candidate) }
        case "end-of-candidates": section.hasEnd = true
        case "ice-ufrag", "ice-pwd", "setup", "mid", "sctp-port", "max-message-size", "ice-lite", "bundle-only":
            if section.values[String(name)] == nil {
                section.values[String(name)] = String(value.trimmingSuffix(while: { $0 == " " }))
            }
        default: return
        }
    }

    /// `sha-256 AA:BB:…`, in either case (RFC 8122 §5).
    private static func fingerprint(_ value: Substring) -> Fingerprint? {
        let words = value.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "sha-256", words[1].utf8.count == 95 else { return nil }
        var bytes: [UInt8] = []
        for pair in words[1].split(separator: ":", omittingEmptySubsequences: false) {
            guard pair.utf8.count == 2, pair.allSatisfy(\.isHexDigit), let byte = UInt8(pair, radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return Fingerprint(bytes)
    }
}

extension Substring {
    /// Without what ends it and satisfies `predicate`.
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
        var result = self
        while let last = result.last, predicate(last) { result.removeLast() }
        return result
    }
}
