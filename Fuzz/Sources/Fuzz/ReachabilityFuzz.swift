import NIOCore
import Node
import Wire

/// AutoNAT v2 in every part: asking, serving, dialling back and being dialled back.
enum AutoNATFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let now = NIODeadline.uptimeNanoseconds(1)
        let bytes = ByteBuffer(bytes: input)
        if let message = try? AutoNATMessage(protobuf: bytes) {
            if case .dialRequest(let addresses, _) = message {
                precondition(addresses.count <= Limits.autoNATAddresses, "more addresses than allowed")
            }
        }
        _ = try? DialBackMessage.nonce(protobuf: bytes)
        _ = try? DialBackMessage.isOK(protobuf: bytes)
        guard let address = try? Multiaddr("/ip4/192.0.2.1/tcp/1") else { return }
        let step = 1 + Int(input.first ?? 0)

        var client = AutoNATClient(addresses: [address], nonce: 1, now: now)
        var paid = 0
        hear(input, step) {
            while true {
                switch client.received(&$0) {
                case .write(let data): paid += data.readableBytes
                case .dialed(let index, _): precondition(index == 0, "a verdict on what was not asked")
                case .refused, .failed: break
                case .none: return
                }
            }
        }
        precondition(paid <= 2 * Limits.autoNATDataMost, "it pays whatever it is asked for")

        var server = AutoNATServer(now: now)
        hear(input, step) {
            while true {
                switch server.received(&$0, now: now) {
                case .requested(let addresses, _):
                    let index = addresses.firstIndex { $0 != nil }
                    let decision: AutoNATServer.Decision =
                        index.map { input.count % 2 == 0 ? .dial(index: $0) : .demand(index: $0, bytes: 30_000) }
                        ?? .refuse(.dialRefused)
                    if case .dial = server.decide(decision, now: now) { _ = server.dialed(.ok) }
                case .dial: _ = server.dialed(.dialError)
                case .write, .finish, .failed: break
                case .none: return
                }
            }
        }
        var (call, listener) = (DialBackCall(now: now), DialBackListener(now: now))
        hear(input, step) { _ = call.received(&$0) }
        hear(input, step) { _ = listener.received(&$0) }
    }

    static func hear(_ input: UnsafeBufferPointer<UInt8>, _ step: Int, _ received: (inout ByteBuffer) -> Void) {
        var feed = Feed(input, step: step)
        var inbox = ByteBuffer()
        while feed.next(into: &inbox) { received(&inbox) }
    }
}

/// DCUtR: its messages, and both ends of its stream.
enum HolePunchFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        var now = NIODeadline.uptimeNanoseconds(1)
        if let message = try? HolePunchMessage(protobuf: ByteBuffer(bytes: input)) {
            precondition(message.addresses.count <= Limits.holePunchAddressesRead, "more addresses than allowed")
        }
        let step = 1 + Int(input.first ?? 0)
        var initiator = HolePunchInitiator(addresses: [], now: now)
        AutoNATFuzz.hear(input, step) {
            while case let action = initiator.received(&$0, now: now), action != .none { check(action) }
            now = now + .milliseconds(10)
        }
        check(initiator.timedOut(now: now + .minutes(1)))
        var responder = HolePunchResponder(addresses: [], now: now)
        AutoNATFuzz.hear(input, step) {
            while case let action = responder.received(&$0, now: now), action != .none {
                if case .dial(let addresses) = action {
                    precondition(addresses.count <= Limits.holePunchAddressesRead, "dials more than allowed")
                }
            }
        }
    }

    private static func check(_ action: HolePunchInitiator.Action) {
        guard case .dial(let addresses) = action else { return }
        precondition(addresses.count <= Limits.holePunchAddressesRead, "dials more than allowed")
    }
}
