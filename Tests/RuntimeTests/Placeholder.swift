import Testing

@Test func runtimePlaceholder() { #expect(Bool(true)) }
