import ICE
import NIOCore
import Node
import WebRTC
import Wire

/// Signalling: messages, the JSON of candidates, and both ends of a stream that hear anything, however it is cut.
enum SignallingFuzz {
    private static let now = NIODeadline.uptimeNanoseconds(1)
    private static let text = """
        v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:EsAw\r\n\
        a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=fingerprint:sha-256 \
        D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\r\n\
        a=setup:SETUP\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n
        """
    private static let offer = try? SessionDescription(.offer, parsing: text.replacing("SETUP", with: "actpass"))
    private static let answer = try? SessionDescription(.answer, parsing: text.replacing("SETUP", with: "active"))

    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let bytes = ByteBuffer(bytes: input)
        if let message = try? SignallingMessage(message: bytes) {
            var frame = message.encoded
            let again = (try? frame.readFrame(limit: Limits.signallingMessage)).flatMap { $0 }
            let back = again.flatMap { try? SignallingMessage(message: $0) }
            precondition(back == message, "a message does not lead back")
        }
        if case .candidate(let candidate) = SignalledCandidate(json: bytes) {
            let json = SignalledCandidate.json(candidate, mid: "0", ufrag: "EsAw")
            let again = SignalledCandidate(json: ByteBuffer(string: json))
            precondition(again == .candidate(candidate), "a candidate does not lead back")
        }
        guard let offer, let answer else { preconditionFailure("the fuzzer's own descriptions are wrong") }
        let step = 1 + Int(input.first ?? 0)
        precondition(offering(offer, input, .max) == offering(offer, input, step), "depends on how bytes were cut")
        precondition(answering(answer, input, .max) == answering(answer, input, step), "depends on how bytes were cut")
    }

    private static func offering(
        _ offer: SessionDescription, _ input: UnsafeBufferPointer<UInt8>, _ step: Int
    ) -> [String] {
        var leaf = SignallingInitiator(offer, now: now)
        _ = leaf.opened()
        var (feed, inbox, words) = (Feed(input, step: step), ByteBuffer(), [String]())
        while feed.next(into: &inbox) {
            while true {
                let action = leaf.received(&inbox)
                if action == .none { break }
                words.append("\(action)")
                precondition(words.count <= Limits.signallingCandidates + 2, "more than the limits allow")
            }
        }
        _ = leaf.closed()
        return words
    }

    private static func answering(
        _ answer: SessionDescription, _ input: UnsafeBufferPointer<UInt8>, _ step: Int
    ) -> [String] {
        var leaf = SignallingResponder(now: now)
        var (feed, inbox, words) = (Feed(input, step: step), ByteBuffer(), [String]())
        while feed.next(into: &inbox) {
            while true {
                let action = leaf.received(&inbox)
                if action == .none { break }
                words.append("\(action)")
                precondition(words.count <= Limits.signallingCandidates + 2, "more than the limits allow")
                if case .offered = action { _ = leaf.answered(answer) }
            }
        }
        _ = leaf.closed()
        return words
    }
}
