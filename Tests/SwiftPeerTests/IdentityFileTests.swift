import ArgumentParser
import Foundation
import Glibc
import NIOCore
import Testing
import Wire

@testable import SwiftPeer

@Suite final class IdentityFileTests {
    private let directory = NSTemporaryDirectory() + "swift-peer-tests-" + UUID().uuidString

    init() throws { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func mode(_ path: String) throws -> mode_t {
        var status = stat()
        try #require(stat(path, &status) == 0)
        return status.st_mode & 0o777
    }

    private func store(_ variables: [String: String]) throws -> StoreSettings {
        try StoreSettings(StoreOptions.parse([]), environment: Environment(variables))
    }

    @Test("A missing identity is made once, for its owner only, and read afterwards")
    func created() throws {
        let settings = try store(["SWIFT_PEER_DATA_DIR": directory + "/a/b"])
        let path = try IdentityFile.path(settings)
        #expect(path == directory + "/a/b/identity.key")
        let first = try IdentityFile.load(path).keyPair.peerID
        #expect(try IdentityFile.load(path).keyPair.peerID == first)
        #expect(try mode(path) == 0o600)
        #expect(try mode(directory + "/a/b") == 0o700)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory + "/a/b") == ["identity.key"])
    }

    @Test("An existing file is never replaced")
    func notReplaced() throws {
        let path = directory + "/file"
        #expect(try SmallFile(path: path).create([1, 2, 3]))
        #expect(try SmallFile(path: path).create([4]) == false)
        #expect(try SmallFile(path: path).read(limit: 3) == [1, 2, 3])
        #expect(try SmallFile(path: path + "x").read(limit: 3) == nil)
    }

    @Test("A key that others can read is used, with a notice")
    func readableByOthers() throws {
        let path = directory + "/go.key"
        let key = KeyPair.generate()
        try Data(key.protobuf.readableBytesView).write(to: URL(fileURLWithPath: path))
        try #require(chmod(path, 0o644) == 0)
        let file = try IdentityFile.load(path)
        #expect(file.keyPair.peerID == key.peerID)
        #expect(file.notice?.contains("chmod 600") == true)
    }

    @Test(
        "A file that holds no identity is refused with status 78",
        arguments: [
            [], [0x08], Array("hello, world\n".utf8), [0x08, 0x01, 0x12, 0x40] + [UInt8](repeating: 1, count: 64),
            [0x08, 0x01, 0x12, 0x02, 1, 2], [0x08, 0x02, 0x12, 0x20] + [UInt8](repeating: 1, count: 32),
            [0x08, 0x63, 0x12, 0x00], [UInt8](repeating: 0xFF, count: Limits.identityFile + 1),
        ] as [[UInt8]])
    func malformed(bytes: [UInt8]) throws {
        let path = directory + "/identity.key"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        do {
            _ = try IdentityFile.load(path)
            Issue.record("accepted")
        } catch {
            #expect(error.status == .configuration)
            #expect(error.message.hasPrefix(path))
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count == bytes.count)
    }

    @Test("A place that cannot hold a file is refused in plain words")
    func places() throws {
        for path in [directory, directory + "/missing/identity.key", "/dev/zero"] {
            do {
                _ = try IdentityFile.load(path)
                Issue.record("accepted \(path)")
            } catch {
                #expect([.io, .configuration].contains(error.status))
            }
        }
    }

    @Test("The default identity in use gives a new one for once, a named one is refused")
    func inUse() throws {
        let settings = try store(["SWIFT_PEER_DATA_DIR": directory])
        let first = try IdentityFile.open(settings)
        let second = try IdentityFile.open(settings)
        #expect(second.path == nil && second.notice != nil)
        #expect(first.keyPair.peerID != second.keyPair.peerID)
        var named = settings
        named.identity = directory + "/identity.key"
        do {
            _ = try IdentityFile.open(named)
            Issue.record("accepted")
        } catch { #expect(error.status == .busy) }
    }

    @Test("Without HOME the user is asked where to keep the identity")
    func homeless() throws {
        let settings = try store([:])
        #expect(throws: Failure.self) { try IdentityFile.path(settings) }
        #expect(try store(["XDG_DATA_HOME": "relative", "HOME": "/h"]).directory == "/h/.local/share/swift-peer")
    }
}
