import Glibc

/// Why a UDP socket could not be had.
package struct DatagramSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it was.
    package enum Code: Hashable, Sendable {
        /// Somebody else has the port.
        case addressInUse
        /// This machine has no such address, or may not use it.
        case addressNotAvailable
        /// The system had no descriptor or memory left.
        case system
    }
    package let code: Code
    /// In words, for people.
    package let description: String

    init(errno number: CInt, binding address: String) {
        code =
            switch number {
            case EADDRINUSE: .addressInUse
            case EADDRNOTAVAIL, EACCES, EAFNOSUPPORT: .addressNotAvailable
            default: .system
            }
        description = "\(address): \(String(cString: strerror(number)))"
    }
}
