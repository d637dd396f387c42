import Glibc
import Testing
import Wire

@testable import SwiftPeer

@Suite struct OutputQueueTests {
    private func drain(_ descriptor: Int32) -> [UInt8] {
        var all: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &bytes, bytes.count)
            guard count > 0 else { return all }
            all += bytes[..<count]
        }
    }

    @Test("A slow reader loses nothing and blocks nobody")
    func slowReader() throws {
        let pipe = try WakePipe()
        var queue = OutputQueue(descriptor: pipe.writable)
        var expected = ""
        var number = 0
        while !queue.isFull {
            let line = "line \(number) " + String(repeating: "x", count: number % 5000)
            expected += line + "\n"
            queue.append(line)
            queue.flush()
            number += 1
        }
        var got: [UInt8] = []
        while !queue.isEmpty {
            got += drain(pipe.readable)
            queue.flush()
        }
        got += drain(pipe.readable)
        #expect(String(decoding: got, as: UTF8.self) == expected)
        #expect(!queue.isBroken)
        close(pipe.readable)
        close(pipe.writable)
    }

    @Test("A reader that went away is noticed")
    func goneReader() throws {
        signal(SIGPIPE, SIG_IGN)
        let pipe = try WakePipe()
        close(pipe.readable)
        var queue = OutputQueue(descriptor: pipe.writable)
        queue.append("x")
        queue.flush()
        #expect(queue.isBroken && queue.isEmpty)
        queue.append("y")
        #expect(queue.isEmpty)
        close(pipe.writable)
    }
}
