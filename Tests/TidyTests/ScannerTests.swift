import Testing

/// The scanner that the rules trust, so that a rule which finds nothing is one that could have found something.
@Suite struct ScannerTests {
    @Test("Every rule finds what it is for, and nothing else", arguments: Rule.all)
    func examples(_ rule: Rule) throws {
        #expect(!rule.caught.isEmpty && !rule.passed.isEmpty)
        let place = rule.scope == .tests ? "Tests/WireTests/X.swift" : "Sources/Wire/X.swift"
        for code in rule.caught {
            #expect(try rule.violations(in: SourceFile(path: place, text: code)).count >= 1, "\(code)")
        }
        for code in rule.passed {
            #expect(try rule.violations(in: SourceFile(path: place, text: code)) == [], "\(code)")
        }
    }

    @Test("A rule says the file and the line")
    func places() throws {
        let file = SourceFile(path: "Sources/Wire/X.swift", text: "let a = 1\n\n    let b = x!\n")
        let rule = try #require(Rule.product.first)
        #expect(try rule.violations(in: file) == ["Sources/Wire/X.swift:3: let b = x!"])
    }

    @Test(
        "Comments and strings are blanked, code is not",
        arguments: [
            ("a // b", "a     "),
            ("a /* b /* c */ d */ e", "a                   e"),
            (#"f("x!")"#, #"f("  ")"#),
            (#"f("\(x!)")"#, #"f(" (x!)")"#),
            (#"f("\(g("y!"))!")"#, #"f(" (g("  ")) ")"#),
            (##"f(#"a"b\(c)"#)"##, ##"f(#"       "#)"##),
            (##"f(#"a\#(c)"#)"##, ##"f(#"   (c)"#)"##),
            ("\"\"\"\n a \"b\" !\n\"\"\" c", "\"\"\"\n        \n\"\"\" c"),
            (#""\"" + x"#, #""  " + x"#),
            (#""http://x" // y"#, #""        "     "#),
            ("\"open\nlet x = 1", "\"    \nlet x = 1"),
        ])
    func blanking(_ source: String, _ code: String) {
        #expect(SwiftText.code(of: source) == code)
    }

    @Test("Blanking keeps lines and columns of every file of the project")
    func shape() {
        #expect(Project.swiftFiles.count > 20)
        for file in Project.swiftFiles {
            #expect(file.code.utf8.count == file.text.utf8.count, "\(file.path)")
            let ends = { (text: String) in text.utf8.count { $0 == UInt8(ascii: "\n") } }
            #expect(ends(file.code) == ends(file.text), "\(file.path)")
        }
    }

    @Test("Imports are read in all their spellings")
    func imports() {
        let code = """
            import A
            package import B
            @preconcurrency public import C
            import struct D.E
            let important = 1
            """
        #expect(Rooms.imports(in: code).map(\.module) == ["A", "B", "C", "D"])
        #expect(Rooms.imports(in: code).map(\.line) == [1, 2, 3, 4])
    }

    @Test("Functions are found with their lengths, requirements and calls are not")
    func functions() {
        let code = """
            protocol P {
                func required(_ x: Int) -> Int
                init(_ y: Int)
            }
            struct S: P {
                init(_ y: Int) { self.init(.init()) }
                func required(
                    _ x: Int = { 1 }()
                ) -> Int
                where T: P {
                    if x > 1 {
                    }
                    return x
                }
                subscript(i: Int) -> Int {
                    1
                }
            }
            func one() {}
            """
        #expect(
            FunctionScanner.functions(in: code) == [
                .init(name: "init", line: 6, length: 1),
                .init(name: "required", line: 7, length: 8),
                .init(name: "subscript", line: 15, length: 3),
                .init(name: "one", line: 19, length: 1),
            ])
    }

    @Test("A type without documentation is found, one with it is not")
    func documentation() {
        let text = """
            package struct A {}
            /// What.
            @frozen
            package final class B {}
            /// What.
            public enum C {
                package struct D {}
                struct E {}
            }
            """
        let file = SourceFile(path: "Sources/Wire/X.swift", text: text)
        #expect(
            undocumentedTypes(in: file) == [
                "Sources/Wire/X.swift:1: package struct A {}", "Sources/Wire/X.swift:7: package struct D {}",
            ])
    }
}
