import Foundation
import NIOCore
import Node
import Simulator
import Testing

/// The order of sets and dictionaries differs from process to process: a trace must not.
@Suite struct TwoProcessesTests {
    private static let variable = "SWIFT_PEER_TRACE_FILE"

    private static func trace() throws -> UInt64 {
        let conditions = LinkConditions(jitter: .milliseconds(15), datagramLoss: 0.2)
        let network = Simulator(seed: 42, conditions: conditions)
        for _ in 1...8 { _ = try network.addNode { $0.discoversLocally = true } }
        for node in 1...8 {
            network.give(.join(topic: "a"), to: node)
            if node % 2 == 0 { network.give(.join(topic: "b"), to: node) }
        }
        network.run(for: .seconds(20))
        for line in 0..<20 {
            network.give(.publish(topic: line % 2 == 0 ? "a" : "b", ByteBuffer(string: "\(line)")), to: line % 8 + 1)
        }
        network.run(for: .seconds(20))
        return network.trace.value
    }

    /// What the other process runs: it writes its trace where it was told to.
    @Test(.enabled(if: ProcessInfo.processInfo.environment[variable] != nil))
    func theTraceForTheOtherProcess() throws {
        let path = try #require(ProcessInfo.processInfo.environment[Self.variable])
        let trace = try Self.trace()
        try "\(trace)".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(trace != 0)
    }

    @Test func theSameSeedGivesTheSameTraceInTwoProcesses() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "trace-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let other = Process()
        other.executableURL = URL(filePath: CommandLine.arguments[0])
        other.arguments = ["--testing-library", "swift-testing", "--filter", "theTraceForTheOtherProcess"]
        other.environment = ProcessInfo.processInfo.environment.merging([Self.variable: file.path]) { $1 }
        other.standardOutput = FileHandle.nullDevice
        other.standardError = FileHandle.nullDevice
        try other.run()
        let own = try Self.trace()
        other.waitUntilExit()
        #expect(other.terminationStatus == 0)
        #expect(try String(contentsOf: file, encoding: .utf8) == "\(own)")
    }
}
