import Testing
import Wire

@testable import SwiftPeer

@Suite struct LineSplitterTests {
    private func lines(_ text: String, limit: Int, pieces: Int) -> [LineSplitter.Line] {
        var splitter = LineSplitter(limit: limit)
        var lines: [LineSplitter.Line] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            lines += splitter.received(bytes[start..<min(start + pieces, bytes.count)])
        }
        if let last = splitter.closed() { lines.append(last) }
        return lines
    }

    private func whole(_ text: String) -> LineSplitter.Line { .whole(Array(text.utf8)) }

    @Test("Lines are the same, however the bytes arrive", arguments: [1, 2, 3, 1000])
    func pieces(size: Int) {
        #expect(
            lines("a\r\n\nbé\nlast", limit: 100, pieces: size) == [whole("a"), whole(""), whole("bé"), whole("last")])
        #expect(lines("a\n", limit: 100, pieces: size) == [whole("a")])
        #expect(lines("", limit: 100, pieces: size) == [])
        #expect(
            lines("12345\n123456\n1\n", limit: 5, pieces: size)
                == [whole("12345"), .tooLong(beginning: Array("12345".utf8)), whole("1")])
    }

    @Test("A line without end is reported once and costs no more than its limit")
    func endless() {
        var splitter = LineSplitter(limit: 1000)
        var reports = 0
        for _ in 0..<100 { reports += splitter.received(repeatElement(UInt8(ascii: "x"), count: 1000)).count }
        #expect(reports == 1)
        #expect(splitter.closed() == nil)
        #expect(splitter.received(Array("ok\n".utf8)) == [whole("ok")])
    }

    @Test("What is repeated of a long line is short")
    func echo() {
        var splitter = LineSplitter(limit: 2000)
        let lines = splitter.received(repeatElement(UInt8(ascii: "x"), count: 3000))
        #expect(lines == [.tooLong(beginning: Array(repeating: UInt8(ascii: "x"), count: Limits.inputEcho))])
    }
}
