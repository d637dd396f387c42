/// Why a multiaddr was refused: always the whole address, never a part of it.
public enum MultiaddrError: Error, Hashable, Sendable {
    /// No component at all.
    case empty
    /// Longer, or of more components, than ever makes sense; `limit` is bytes or components.
    case tooLong(limit: Int)
    /// Text that does not start with `/`.
    case missingLeadingSlash
    /// A name of no protocol; in text that includes the empty name of `//`.
    case unknownProtocol(String)
    /// A code of no protocol this program knows: where its value ends cannot be told.
    case unknownCode(UInt64)
    /// A code or a length that is no varint, or a varint cut off.
    case malformedVarint
    /// The address ends where the value of the named protocol should be.
    case missingValue(String)
    /// The value is none the named protocol can have.
    case invalidValue(String)
}
