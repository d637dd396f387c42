/// Why there is no allocation, or no longer.
package enum TURNError: Error, Hashable, Sendable {
    /// The server did not answer.
    case timeout
    /// The server does not take our user and password.
    case unauthorized
    /// The server refuses, by its own number and words: 403 Forbidden, 442 Unsupported Transport Address, 486
    /// Allocation Quota Reached, 508 Insufficient Capacity and others (RFC 8656 §19).
    case refused(STUNErrorCode)
    /// The server says yes, without what belongs to it.
    case malformed
    /// The server no longer knows of it (437).
    case lost
    /// The TCP connection to the server could not be made, or ended, or carried something else.
    case disconnected
}
