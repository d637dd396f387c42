import Testing

@Test func gossipsubPlaceholder() { #expect(Bool(true)) }
