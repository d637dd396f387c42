import Foundation
import NIOCore
import VectorFiles

extension Vectors {
    /// Those of this room.
    static func load(_ file: String) throws -> [Vector] { try load(file, of: .module) }
}

extension ByteBuffer {
    var hexText: String {
        readableBytesView.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
