import ArgumentParser
import Glibc
import Testing
import Wire

@testable import SwiftPeer

@Suite struct ListenPlanTests {
    private func plan(_ arguments: [String]) throws -> ListenPlan {
        let command = try BotCommand.parse(arguments)
        return ListenPlan(try Settings(mode: .bot, command.shared, command.bot, environment: Environment([:])))
    }

    @Test("Addresses of the user replace the default ones")
    func listen() throws {
        let plan = try plan(["--listen", "/ip4/127.0.0.1/tcp/5", "--port", "7"])
        #expect(plan.addresses.map(\.description) == ["/ip4/127.0.0.1/tcp/5"])
        #expect(plan.notice == nil)
    }

    @Test("The defaults are TCP, WebSocket and WebRTC-direct on one port number")
    func defaults() throws {
        let addresses = try plan(["--port", "0"]).addresses.map(\.description)
        let port = try #require(addresses.first?.split(separator: "/").last)
        #expect(UInt16(port) ?? 0 > 0)
        #expect(addresses.contains("/ip4/0.0.0.0/tcp/\(port)"))
        #expect(addresses.contains("/ip4/0.0.0.0/tcp/\(port)/ws"))
        #expect(addresses.contains("/ip4/0.0.0.0/udp/\(port)/webrtc-direct"))
        #expect(addresses.contains("/ip6/::/tcp/\(port)") == addresses.contains("/ip6/::/udp/\(port)/webrtc-direct"))
    }

    @Test("A port that is taken for TCP or for UDP gives way to a free one, with a notice")
    func taken() throws {
        try taken(SOCK_STREAM)
        try taken(SOCK_DGRAM)
    }

    private func taken(_ kind: __socket_type) throws {
        let descriptor = socket(AF_INET, Int32(kind.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0
                    && (kind == SOCK_DGRAM || Glibc.listen(descriptor, 1) == 0)
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        try #require(bound)
        let port = UInt16(bigEndian: address.sin_port)
        let plan = try plan(["--port", "\(port)"])
        #expect(!plan.addresses.contains { $0.description.contains("/\(port)") })
        #expect(plan.notice?.contains("port \(port) is taken") == true)
        #expect(try self.plan(["--port", "0"]).notice == nil)
    }
}
