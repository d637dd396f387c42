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

    @Test("A port that is taken gives way to a free one, with a notice")
    func taken() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && Glibc.listen(descriptor, 1) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        try #require(bound)
        let port = UInt16(bigEndian: address.sin_port)
        let plan = try plan(["--port", "\(port)"])
        #expect(plan.addresses.first?.description == "/ip4/0.0.0.0/tcp/0")
        #expect(plan.addresses.allSatisfy { $0.description.hasSuffix("/tcp/0") })
        #expect(plan.notice?.contains("port \(port) is taken") == true)
        #expect(try self.plan(["--port", "0"]).notice == nil)
    }
}
