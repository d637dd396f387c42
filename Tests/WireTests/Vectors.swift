import Foundation
import NIOCore
import Testing

/// One entry of a vector file: what goes in and what must come out, as strings by name.
struct Vector: Decodable, CustomTestStringConvertible, Sendable {
    struct Side: Decodable, Sendable {
        private let fields: [String: Field]
        init(from decoder: any Decoder) throws {
            fields = try decoder.singleValueContainer().decode([String: Field].self)
        }
        subscript(name: String) -> String? { fields[name]?.text }
        func list(_ name: String) -> [String] { fields[name]?.list ?? [] }
        /// Whether the vector says the input is good; absent means it is.
        var isOK: Bool { self["ok"] != "false" }
    }
    /// A string, a number, a truth value or a list of strings.
    enum Field: Decodable, Sendable {
        case text(String)
        case list([String])
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let list = try? container.decode([String].self) {
                self = .list(list)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let flag = try? container.decode(Bool.self) {
                self = .text("\(flag)")
            } else {
                self = .text("\(try container.decode(UInt64.self))")
            }
        }
        var text: String? { if case .text(let text) = self { text } else { nil } }
        var list: [String]? { if case .list(let list) = self { list } else { nil } }
    }
    let name: String
    let input: Side
    let output: Side
    var testDescription: String { name }

    private struct File: Decodable { let vectors: [Vector] }

    /// The vectors of `Vectors/<file>.json`; empty when it cannot be read, which every suite checks for.
    static func load(_ file: String) -> [Vector] {
        guard let url = Bundle.module.url(forResource: file, withExtension: "json", subdirectory: "Vectors"),
            let data = try? Data(contentsOf: url), let contents = try? JSONDecoder().decode(File.self, from: data)
        else { return [] }
        return contents.vectors
    }
}

/// Bytes written as hexadecimal digits.
func hex(_ text: some StringProtocol) throws -> [UInt8] {
    let digits = Array(text)
    try #require(digits.count % 2 == 0)
    return try stride(from: 0, to: digits.count, by: 2).map { index in
        try #require(UInt8(String(digits[index...index + 1]), radix: 16))
    }
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

func buffer(_ text: some StringProtocol) throws -> ByteBuffer { ByteBuffer(bytes: try hex(text)) }
