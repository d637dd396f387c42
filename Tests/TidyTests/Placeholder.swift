import Testing

@Test func tidyPlaceholder() { #expect(Bool(true)) }
