import Foundation
import Synchronization
import Testing

/// Everything that talks to programs, one after the other: two cores do not carry more.
@Suite(.serialized) enum Interop {}

/// Where the programs are that a test needs.
enum Installed {
    /// The folder that holds Package.swift.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Our own program, as it was built with this test; `SWIFT_PEER` in the environment names another one.
    static func program() throws -> String {
        let built = Bundle.module.bundleURL.deletingLastPathComponent().appending(path: "swift-peer")
            .path
        let path = ProcessInfo.processInfo.environment["SWIFT_PEER"] ?? built
        return try existing(path, "build it: swift build --product swift-peer")
    }

    static func python() throws -> String {
        try existing(root.appending(path: ".venv/bin/python").path, "make peers")
    }
    static func p2pd() throws -> String {
        try existing(root.appending(path: ".tools/p2pd").path, "make peers")
    }
    /// The program Peers/pion_peer.
    static func pion() throws -> String {
        try existing(root.appending(path: ".tools/pion_peer").path, "make peers")
    }
    /// A shared object with the C API of libdatachannel.
    static func libdatachannel() throws -> String {
        let object = ".tools/libdatachannel/aiolibdatachannel/_native.abi3.so"
        return try existing(root.appending(path: object).path, "make peers")
    }

    /// A script of the Peers folder.
    static func script(_ name: String) -> String {
        Bundle.module.bundleURL.appending(path: "Peers/\(name)").path
    }

    /// A program of the system, by its name.
    static func tool(_ name: String) throws -> String {
        for folder in ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"] {
            let path = folder + "/" + name
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw Failure("there is no \(name) here: make test installs it")
    }

    private static func existing(_ path: String, _ advice: String) throws -> String {
        guard FileManager.default.fileExists(atPath: path) else {
            throw Failure("\(path) is missing; this makes it: \(advice)")
        }
        return path
    }
}

/// One scenario: the programs that take part, and a folder for their files. All of them end with it.
final class Stage: Sendable {
    /// A folder of this scenario's own, removed at its end.
    let folder: URL
    private let children = Mutex<[Child]>([])
    private let endings = Mutex<[@Sendable () async -> Void]>([])

    private init() throws {
        folder = FileManager.default.temporaryDirectory.appending(
            path: "swift-peer-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// Runs a scenario. When it fails, the failure carries the last words of everyone who took part.
    static func play(_ scenario: (Stage) async throws -> Void) async throws {
        let stage = try Stage()
        var failure: Failure?
        do {
            try await scenario(stage)
        } catch {
            let words = stage.children.withLock { $0.map(\.lastWords) }
            failure = Failure(([String(describing: error)] + words).joined(separator: "\n"))
        }
        for child in stage.children.withLock({ $0 }).reversed() { await child.stop() }
        for ending in stage.endings.withLock({ $0 }).reversed() { await ending() }
        try? FileManager.default.removeItem(at: stage.folder)
        if let failure { throw failure }
    }

    /// Starts a program that belongs to this scenario.
    func start(
        _ name: String, _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws -> Child {
        let home = ["HOME": folder.path, "XDG_DATA_HOME": folder.appending(path: name).path]
        let child = try Child(name, program, arguments, environment: home.merging(environment) { $1 })
        children.withLock { $0.append(child) }
        return child
    }

    /// Runs our own program to its end.
    func run(
        _ arguments: [String], input: String? = nil, environment: [String: String] = [:],
        within limit: Duration = .seconds(20)
    ) async throws -> Child {
        let program = try Installed.program()
        let child = try start("swift-peer", program, arguments, environment: environment)
        if let input { try child.send(input) }
        child.closeInput()
        try await child.ended(within: limit)
        return child
    }

    /// Something to undo when the scenario is over.
    func atEnd(_ ending: @escaping @Sendable () async -> Void) {
        endings.withLock { $0.append(ending) }
    }
}
