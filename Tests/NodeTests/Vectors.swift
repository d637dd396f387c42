import Foundation
import VectorFiles

extension Vectors {
    /// Those of this room.
    static func load(_ file: String) throws -> [Vector] { try load(file, of: .module) }
}
