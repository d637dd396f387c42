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

    /// Twice in this process; the other process runs it too, and writes its trace where it was told to.
    @Test func theSameSeedGivesTheSameTraceTwiceInOneProcess() throws {
        let trace = try Self.trace()
        #expect(try Self.trace() == trace)
        guard let path = ProcessInfo.processInfo.environment[Self.variable] else { return }
        try "\(trace)".write(toFile: path, atomically: true, encoding: .utf8)
    }

    @Test func theSameSeedGivesTheSameTraceInTwoProcesses() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "trace-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let other = Process()
        other.executableURL = URL(filePath: CommandLine.arguments[0])
        other.arguments = [
            "--testing-library", "swift-testing", "--filter", "theSameSeedGivesTheSameTraceTwiceInOneProcess",
        ]
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
