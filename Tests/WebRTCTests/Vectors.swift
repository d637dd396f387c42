import Foundation
import NIOCore
import Testing

/// Vector files, as plain dictionaries.
enum Vectors {
    struct Vector: CustomTestStringConvertible {
        let name: String
        let input: [String: Any]
        let output: [String: Any]
        var testDescription: String { name }
    }

    static func load(_ file: String) throws -> [Vector] {
        let url = try #require(Bundle.module.url(forResource: "Vectors/\(file)", withExtension: "json"))
        let root = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        let list = try #require(root["vectors"] as? [[String: Any]])
        #expect(list.count == root["count"] as? Int)
        return try list.map {
            Vector(
                name: try #require($0["name"] as? String), input: try #require($0["input"] as? [String: Any]),
                output: try #require($0["output"] as? [String: Any]))
        }
    }
}

/// The bytes that hexadecimal text names; spaces are left out.
func hex(_ text: String) throws -> ByteBuffer {
    try ByteBuffer(plainHexEncodedBytes: text.filter { $0 != " " })
}
