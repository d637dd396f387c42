import Foundation
import Testing

/// The rules of the house that no compiler checks.
@Suite struct TidyTests {
    @Test("The sources keep every rule", arguments: Rule.all)
    func rule(_ rule: Rule) throws {
        let files = rule.scope == .written ? Project.writtenFiles : Project.swiftFiles
        let read = files.filter(rule.applies(to:))
        #expect(!read.isEmpty, "the rule reads no file at all")
        let violations = try read.flatMap { try rule.violations(in: $0) }
        #expect(violations.isEmpty, "\(rule.name):\n\(violations.joined(separator: "\n"))")
    }

    @Test("Every room is on the plan, and imports what the plan allows")
    func imports() {
        let found = Project.sources.flatMap { file in
            Rooms.imports(in: file.code).compactMap { module, line -> String? in
                guard let allowed = Rooms.mayImport[file.room] else {
                    return "\(file.path):\(line): no room \(file.room) on the plan"
                }
                return allowed.contains(module) ? nil : "\(file.path):\(line): \(file.room) may not import \(module)"
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("The plan has no circles, and no core reaches a room that does IO")
    func plan() {
        func reach(_ room: String, _ path: [String]) -> Set<String> {
            guard !path.contains(room) else { return ["a circle: \((path + [room]).joined(separator: " → "))"] }
            let next = Rooms.mayImport[room] ?? []
            return next.reduce(into: next) { $0.formUnion(reach($1, path + [room])) }
        }
        for core in Rooms.cores.sorted() {
            let reached = reach(core, [])
            let forbidden: Set = [
                "NIOPosix", "Foundation", "Glibc", "Musl", "Darwin", "Runtime", "Terminal", "CNcurses",
            ]
            #expect(reached.isDisjoint(with: forbidden), "\(core) reaches \(reached.intersection(forbidden).sorted())")
            #expect(!reached.contains { $0.hasPrefix("a circle") }, "\(reached.sorted())")
        }
        #expect(Rooms.mayImport.filter { $0.value.contains("COpenSSL") }.keys.sorted() == ["Cryptography", "Engines"])
        #expect(Rooms.mayImport.filter { $0.value.contains("CUsrsctp") }.keys.sorted() == ["Engines"])
        #expect(Rooms.mayImport.filter { $0.value.contains("CNcurses") }.keys.sorted() == ["Terminal"])
        #expect(Rooms.mayImport.filter { $0.value.contains("CMalloc") }.keys.sorted() == ["SwiftPeer"])
    }

    @Test("No file has more than 500 lines")
    func fileSizes() {
        let long = Project.swiftFiles.filter { $0.lineCount > 500 }.map { "\($0.path):1: \($0.lineCount) lines" }
        #expect(long.isEmpty, "\(long.joined(separator: "\n"))")
    }

    @Test("No function has more than 70 lines")
    func functionSizes() {
        let long = Project.swiftFiles.flatMap { file in
            FunctionScanner.functions(in: file.code).filter { $0.length > 70 }
                .map { "\(file.path):\($0.line): \($0.name) has \($0.length) lines" }
        }
        #expect(long.isEmpty, "\(long.joined(separator: "\n"))")
    }

    @Test("No file is a bag")
    func fileNames() {
        let bags = ["Util", "Utils", "Utility", "Utilities", "Manager", "Helper", "Helpers", "Base", "Placeholder"]
        let found = Project.swiftFiles.filter { file in bags.contains { file.name.hasSuffix($0) } }.map(\.path)
        #expect(found.isEmpty, "\(found)")
    }

    @Test("No tabs but in the Makefile")
    func tabs() throws {
        let found = try Project.writtenFiles.filter { $0.path != "Makefile" }
            .flatMap { try $0.places(of: "\t", in: $0.text) }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("Every package and public type has a comment that documents it")
    func documentation() {
        let found = Project.sources.flatMap { undocumentedTypes(in: $0) }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("Every file of tests expects something, and every room has tests")
    func expectations() throws {
        let silent = Project.tests.filter { $0.code.contains("@Test") && !$0.code.contains("#expect") }
            .filter { !$0.code.contains("#require") }
        #expect(silent.isEmpty, "\(silent.map(\.path))")
        let tested = Set(Project.tests.filter { $0.code.contains("@Test") }.map(\.room))
        let rooms = [
            "Wire", "Channels", "ICE", "WebRTC", "Engines", "WebRTCRuntime", "GossipSub", "Node", "Chat", "Screen",
            "Runtime",
        ]
        for room in rooms {
            #expect(tested.contains(room + "Tests"), "\(room) has no tests")
        }
    }
}

/// `path:line` of each package or public type of `file` above which no documentation stands.
func undocumentedTypes(in file: SourceFile) -> [String] {
    let code = file.code.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let text = file.text.split(separator: "\n", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
    }
    let modifiers: Set = ["final", "indirect", "nonisolated"]
    let kinds: Set = ["struct", "class", "enum", "actor", "protocol"]
    // The shapes of every machine: their cases are documented, their names say the rest.
    let shapes: Set = ["Input", "Output", "Action"]
    return code.indices.compactMap { number in
        let words = code[number].split(separator: " ").map(String.init)
        guard let first = words.first, first == "package" || first == "public",
            let kind = words.firstIndex(where: kinds.contains), kind + 1 < words.count,
            words[1..<kind].allSatisfy(modifiers.contains),
            !shapes.contains(String(words[kind + 1].prefix(while: \.isLetter)))
        else { return nil }
        var above = number - 1
        while above >= 0, text[above].hasPrefix("@") || text[above].hasPrefix("//") && !text[above].hasPrefix("///") {
            above -= 1
        }
        let documented = above >= 0 && text[above].hasPrefix("///")
        return documented ? nil : "\(file.path):\(number + 1): \(text[number])"
    }
}
