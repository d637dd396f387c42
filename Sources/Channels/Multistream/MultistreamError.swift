/// How a remote broke multistream-select.
package enum MultistreamError: Error, Equatable {
    /// The length prefix is no minimal varint.
    case malformedLength
    /// A token of length 0.
    case emptyToken
    /// A token above `Limits.multistreamToken`.
    case tokenTooLong
    /// A token without its newline.
    case missingNewline
    /// A token that is not UTF-8.
    case invalidText
    /// The first token was not `/multistream/1.0.0`.
    case wrongHeader
    /// An answer that was neither the proposal nor `na`.
    case unexpectedAnswer
    /// More than `Limits.multistreamProposals` proposals.
    case tooManyProposals
}
