public import Foundation
public import NIOCore

/// A file of test vectors: cases verified against other implementations, as plain dictionaries.
public enum Vectors {
    /// What goes in, and what must come out.
    public struct Vector: CustomStringConvertible, @unchecked Sendable {
        // `@unchecked`: the dictionaries hold what JSON holds, strings, numbers and lists, and never change.
        /// Unique in its file.
        public let name: String
        /// What the case starts from.
        public let input: [String: Any]
        /// What must come of it.
        public let output: [String: Any]
        /// The name: what a test's report shows.
        public var description: String { name }
    }

    /// Why a vector cannot be used.
    public enum Failure: Error {
        /// No such resource.
        case missing(file: String)
        /// Not the shape of a vector file.
        case misshapen(file: String)
        /// The file says how many it has, and has not.
        case incomplete(file: String)
        /// A field that should be bytes is none.
        case notHexadecimal(String)
    }

    /// The vectors of `Vectors/<file>.json` among a test target's resources.
    public static func load(_ file: String, of bundle: Bundle) throws -> [Vector] {
        guard let url = bundle.url(forResource: "Vectors/\(file)", withExtension: "json") else {
            throw Failure.missing(file: file)
        }
        guard let root = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any],
            let list = root["vectors"] as? [[String: Any]]
        else { throw Failure.misshapen(file: file) }
        guard list.count == root["count"] as? Int else { throw Failure.incomplete(file: file) }
        return try list.map {
            guard let name = $0["name"] as? String, let input = $0["input"] as? [String: Any],
                let output = $0["output"] as? [String: Any]
            else { throw Failure.misshapen(file: file) }
            return Vector(name: name, input: input, output: output)
        }
    }
}

/// The bytes of a field of a vector, in hexadecimal; spaces are left out.
public func hex(_ value: Any?) throws -> ByteBuffer {
    guard let text = value as? String, let bytes = try? ByteBuffer(plainHexEncodedBytes: text.filter { $0 != " " })
    else { throw Vectors.Failure.notHexadecimal("\(value ?? "nothing")") }
    return bytes
}
