import Testing

@Test func channelsPlaceholder() { #expect(Bool(true)) }
