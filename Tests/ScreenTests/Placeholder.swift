import Testing

@Test func screenPlaceholder() { #expect(Bool(true)) }
