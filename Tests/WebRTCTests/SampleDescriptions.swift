import Testing

@testable import WebRTC

/// A description as some stack writes it, and what is to be read from it.
struct SampleDescription: Sendable, CustomTestStringConvertible {
    let name: String
    var kind = SessionDescription.Kind.offer
    let ufrag: String
    var setup = SessionDescription.Setup.actpass
    var mid = "0"
    var largestMessage = 262_144
    var candidates = 0
    var others = 0
    var hasAllCandidates = false
    let text: String

    var testDescription: String { name }
}

/// Descriptions of the shapes that are met. All have the same fingerprint.
enum SampleDescriptions {
    static let digest =
        "7D:E3:D8:3F:81:A6:80:59:2A:47:1E:6B:6A:BB:07:47:AB:D3:53:85:A8:09:3F:DF:E1:12:C1:EE:BB:6C:C6:AC"
    static let fingerprint = Fingerprint(
        digest.split(separator: ":").compactMap { UInt8($0, radix: 16) })

    static let all = [
        chromium, chromiumAnswer, firefox, pion, aiortc, libdatachannel, draft, conference, bundled, sessionLevel,
    ]

    static let chromium = SampleDescription(
        name: "Chromium, trickling", ufrag: "EsAw",
        text: """
            v=0
            o=- 4611732233 2 IN IP4 127.0.0.1
            s=-
            t=0 0
            a=group:BUNDLE 0
            a=extmap-allow-mixed
            a=msid-semantic: WMS
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel
            c=IN IP4 0.0.0.0
            a=ice-ufrag:EsAw
            a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
            a=ice-options:trickle
            a=fingerprint:sha-256 \(digest)
            a=setup:actpass
            a=mid:0
            a=sctp-port:5000
            a=max-message-size:262144

            """)

    static let chromiumAnswer = SampleDescription(
        name: "Chromium, an answer with candidates", kind: .answer, ufrag: "9uB6", setup: .active, candidates: 2,
        text: """
            v=0
            o=- 2717113121 2 IN IP4 127.0.0.1
            s=-
            t=0 0
            a=group:BUNDLE 0
            a=extmap-allow-mixed
            a=msid-semantic: WMS
            m=application 52301 UDP/DTLS/SCTP webrtc-datachannel
            c=IN IP4 198.51.100.7
            a=candidate:3388485749 1 udp 2113937151 5b7a8a4e-3f0d-4a51-9b9a-0f3c0c1de64a.local 52301 typ host generation 0 network-cost 999
            a=candidate:842163049 1 udp 1677729535 198.51.100.7 52301 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999
            a=candidate:2 1 udp 2122262783 2001:db8::5 52302 typ host generation 0 network-id 2 network-cost 10
            a=candidate:3 1 tcp 1518280447 192.0.2.5 9 typ host tcptype active generation 0 network-id 1
            a=ice-ufrag:9uB6
            a=ice-pwd:g7uD3YmT3eBpPqZ0TNOgYjHh
            a=ice-options:trickle
            a=fingerprint:sha-256 \(digest)
            a=setup:active
            a=mid:0
            a=sctp-port:5000
            a=max-message-size:262144

            """)

    static let firefox = SampleDescription(
        name: "Firefox, fingerprint of the session", ufrag: "1a2b3c4d", largestMessage: 1_073_741_823, candidates: 1,
        hasAllCandidates: true,
        text: """
            v=0
            o=mozilla...THIS_IS_SDPARTA-99.0 8310513173842215 0 IN IP4 0.0.0.0
            s=-
            t=0 0
            a=sendrecv
            a=fingerprint:sha-256 \(digest)
            a=group:BUNDLE 0
            a=ice-options:trickle
            a=msid-semantic:WMS *
            m=application 60471 UDP/DTLS/SCTP webrtc-datachannel
            c=IN IP4 192.0.2.33
            a=candidate:0 1 UDP 2122252543 192.0.2.33 60471 typ host
            a=candidate:1 1 TCP 2105524479 192.0.2.33 9 typ host tcptype active
            a=sendrecv
            a=end-of-candidates
            a=ice-pwd:0123456789abcdef0123456789abcdef
            a=ice-ufrag:1a2b3c4d
            a=mid:0
            a=setup:actpass
            a=sctp-port:5000
            a=max-message-size:1073741823

            """)

    static let pion = SampleDescription(
        name: "pion, an answer", kind: .answer, ufrag: "tVUyGDsJPaJRCgvG", setup: .active, largestMessage: 65_536,
        candidates: 2, hasAllCandidates: true,
        text: """
            v=0
            o=- 4215775240449105457 1637158123 IN IP4 0.0.0.0
            s=-
            t=0 0
            a=msid-semantic:WMS*
            a=fingerprint:sha-256 \(digest)
            a=extmap-allow-mixed
            a=group:BUNDLE 0
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel
            c=IN IP4 0.0.0.0
            a=setup:active
            a=mid:0
            a=sendrecv
            a=sctp-port:5000
            a=ice-ufrag:tVUyGDsJPaJRCgvG
            a=ice-pwd:xwqQERypCSMHFYXvSyPyWMOvYvmxQwUo
            a=candidate:4228250471 1 udp 2130706431 192.0.2.4 48215 typ host ufrag tVUyGDsJPaJRCgvG
            a=candidate:4228250471 2 udp 2130706431 192.0.2.4 48215 typ host
            a=candidate:233762139 1 udp 2130706431 2001:db8::4 43022 typ host
            a=end-of-candidates

            """)

    static let aiortc = SampleDescription(
        name: "aiortc", ufrag: "kZgK", largestMessage: 65_536, candidates: 1, hasAllCandidates: true,
        text: """
            v=0
            o=- 3846091541 3846091541 IN IP4 0.0.0.0
            s=-
            t=0 0
            a=group:BUNDLE 0
            a=msid-semantic:WMS *
            m=application 37211 UDP/DTLS/SCTP webrtc-datachannel
            c=IN IP4 192.0.2.9
            a=mid:0
            a=sctp-port:5000
            a=max-message-size:65536
            a=candidate:5d2e8ff0f2ad98dbc6eb6a5d6c0a5b34 1 udp 2130706431 192.0.2.9 37211 typ host
            a=end-of-candidates
            a=ice-ufrag:kZgK
            a=ice-pwd:YGCsTD0mCqJ1HJ2sNu8ZIr
            a=fingerprint:sha-384 00:11:22
            a=fingerprint:sha-256 \(digest)
            a=fingerprint:sha-512 00:11:22
            a=setup:actpass

            """)

    static let libdatachannel = SampleDescription(
        name: "libdatachannel", ufrag: "R1nG", candidates: 2, hasAllCandidates: true,
        text: """
            v=0
            o=rtc 3767197920 0 IN IP4 127.0.0.1
            s=-
            t=0 0
            a=group:BUNDLE 0
            a=group:LS 0
            a=msid-semantic:WMS *
            a=ice-options:ice2,trickle
            a=fingerprint:sha-256 \(digest)
            m=application 33554 UDP/DTLS/SCTP webrtc-datachannel
            c=IN IP4 192.0.2.1
            a=mid:0
            a=sendrecv
            a=sctp-port:5000
            a=max-message-size:262144
            a=setup:actpass
            a=ice-ufrag:R1nG
            a=ice-pwd:ZTvQ2bC3Nf5nYlOhCDpIqc
            a=candidate:1 1 UDP 2122317823 192.0.2.1 33554 typ host
            a=candidate:2 1 UDP 2122187007 2001:db8::1 33554 typ host
            a=end-of-candidates

            """)

    static let draft = SampleDescription(
        name: "old drafts", ufrag: "abcd", mid: "data", largestMessage: 65_536,
        text: """
            v=0
            o=- 1 1 IN IP4 127.0.0.1
            s=-
            t=0 0
            m=application 9 DTLS/SCTP 5000
            c=IN IP4 0.0.0.0
            a=ice-ufrag:abcd
            a=ice-pwd:0123456789012345678901
            a=fingerprint:SHA-256 \(digest.lowercased())
            a=setup:actpass
            a=mid:data
            a=sctpmap:5000 webrtc-datachannel 1024

            """)

    static let conference = SampleDescription(
        name: "sound, data and pictures", ufrag: "DaTa", mid: "data", others: 2,
        text: """
            v=0
            o=- 1 2 IN IP4 127.0.0.1
            s=-
            t=0 0
            a=group:BUNDLE 0 data 2
            m=audio 9 UDP/TLS/RTP/SAVPF 111 63
            c=IN IP4 0.0.0.0
            a=rtcp:9 IN IP4 0.0.0.0
            a=ice-ufrag:SoUn
            a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
            a=fingerprint:sha-256 \(digest)
            a=setup:actpass
            a=mid:0
            a=rtpmap:111 opus/48000/2
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel
            c=IN IP4 0.0.0.0
            a=ice-ufrag:DaTa
            a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
            a=fingerprint:sha-256 \(digest)
            a=setup:actpass
            a=mid:data
            a=sctp-port:5000
            a=max-message-size:262144
            m=video 9 UDP/TLS/RTP/SAVPF 96
            c=IN IP4 0.0.0.0
            a=ice-ufrag:PiCt
            a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
            a=fingerprint:sha-256 \(digest)
            a=setup:actpass
            a=mid:2

            """)

    static let bundled = SampleDescription(
        name: "data bundled with sound, whose section describes the transport", ufrag: "SoUn", setup: .passive,
        mid: "1", candidates: 1, others: 1, hasAllCandidates: true,
        text: """
            v=0
            o=- 1 2 IN IP4 127.0.0.1
            s=-
            t=0 0
            a=group:BUNDLE 0 1
            m=audio 9 UDP/TLS/RTP/SAVPF 111
            c=IN IP4 0.0.0.0
            a=ice-ufrag:SoUn
            a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
            a=fingerprint:sha-256 \(digest)
            a=setup:passive
            a=mid:0
            a=candidate:1 1 udp 2130706431 192.0.2.4 48215 typ host
            a=end-of-candidates
            m=application 0 UDP/DTLS/SCTP webrtc-datachannel
            c=IN IP4 0.0.0.0
            a=bundle-only
            a=mid:1
            a=sctp-port:5000
            a=max-message-size:262144

            """)

    static let sessionLevel = SampleDescription(
        name: "everything of the session", kind: .answer, ufrag: "libp2p+webrtc+v2/P2uYro0UCOQ4zxjKXaWCBui1",
        setup: .passive, largestMessage: 16_384, candidates: 1, hasAllCandidates: true,
        text: """
            v=0
            o=- 0 0 IN IP6 ::1
            s=-
            t=0 0
            a=ice-lite
            a=ice-ufrag:libp2p+webrtc+v2/P2uYro0UCOQ4zxjKXaWCBui1
            a=ice-pwd:libp2p+webrtc+v2/P2uYro0UCOQ4zxjKXaWCBui1
            a=fingerprint:sha-256 \(digest)
            a=setup:passive
            m=application 9090 UDP/DTLS/SCTP webrtc-datachannel
            c=IN IP6 ::1
            a=mid:0
            a=sctp-port:5000
            a=max-message-size:16384
            a=candidate:1 1 UDP 1 ::1 9090 typ host
            a=end-of-candidates

            """)
}
