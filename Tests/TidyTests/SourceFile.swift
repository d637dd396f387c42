import Foundation

/// One file of the project, as the rules see it.
struct SourceFile {
    /// Below the project's folder: `Sources/Wire/Varint.swift`.
    let path: String
    /// What stands in it.
    let text: String
    /// The same with comments and strings blanked out.
    let code: String

    init(path: String, text: String) {
        self.path = path
        self.text = text
        code = path.hasSuffix(".swift") ? SwiftText.code(of: text) : text
    }

    /// `Wire` for `Sources/Wire/…`, `WireTests` for `Tests/WireTests/…`.
    var room: String {
        let parts = path.split(separator: "/")
        return parts.count > 2 ? String(parts[1]) : ""
    }

    var isSource: Bool { path.hasPrefix("Sources/") }
    var isTest: Bool { path.hasPrefix("Tests/") }
    var isSwift: Bool { path.hasSuffix(".swift") }
    /// `Varint` for `Sources/Wire/Varint.swift`.
    var name: String { String(path.split(separator: "/").last?.split(separator: ".").first ?? "") }

    /// The number of lines, a last line without its end counted.
    var lineCount: Int {
        text.split(separator: "\n", omittingEmptySubsequences: false).count - (text.hasSuffix("\n") ? 1 : 0)
    }

    /// Where `pattern` matches, as `path:line: text of the line`.
    func places(of pattern: String, in content: String) throws -> [String] {
        let expression = try NSRegularExpression(pattern: pattern, options: [.anchorsMatchLines])
        let whole = NSRange(content.startIndex..., in: content)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return expression.matches(in: content, range: whole).compactMap { match in
            guard let range = Range(match.range, in: content) else { return nil }
            let line = content[..<range.lowerBound].utf8.count { $0 == UInt8(ascii: "\n") }
            let shown = lines.indices.contains(line) ? lines[line].trimmingCharacters(in: .whitespaces) : ""
            return "\(path):\(line + 1): \(shown)"
        }
    }
}

/// The project's files.
enum Project {
    /// The folder that holds Package.swift.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Every Swift file under Sources and Tests, and the manifest, in the order of their paths.
    static let swiftFiles: [SourceFile] = files(under: ["Sources", "Tests", "Benchmarks", "Package.swift"]) {
        $0.hasSuffix(".swift")
    }

    /// Every text of the project that a person wrote: Swift, C, Python, scripts, documents.
    static let writtenFiles: [SourceFile] = files(
        under: [
            "Sources", "Tests", "Scripts", "Benchmarks", ".ci", "Package.swift", "Makefile", "README.md",
            "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
        ]
    ) { path in
        let name = path.split(separator: "/").last ?? ""
        let kinds = ["swift", "h", "modulemap", "py", "md", "sh"]
        return !name.contains(".") || kinds.contains { name.hasSuffix("." + $0) }
    }

    /// The Swift files of the program and its library.
    static var sources: [SourceFile] { swiftFiles.filter(\.isSource) }
    /// The Swift files of the tests.
    static var tests: [SourceFile] { swiftFiles.filter(\.isTest) }

    private static func files(under places: [String], where wanted: (String) -> Bool) -> [SourceFile] {
        var paths: [String] = []
        for place in places {
            let url = root.appending(path: place)
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { continue }
            guard isFolder.boolValue else {
                paths.append(place)
                continue
            }
            let inside = FileManager.default.enumerator(atPath: url.path)?.compactMap { $0 as? String } ?? []
            paths += inside.map { place + "/" + $0 }
        }
        return paths.filter(wanted).sorted().compactMap { path in
            guard let data = FileManager.default.contents(atPath: root.appending(path: path).path),
                let text = String(data: data, encoding: .utf8)
            else { return nil }
            return SourceFile(path: path, text: text)
        }
    }
}
