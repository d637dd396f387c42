import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// An error of the operating system in words a person can act on.
func describe(_ error: any Error) -> String {
    switch error {
    case let error as IOError: return describe(errno: error.errnoCode)
    case let error as NIOConnectionError:
        guard let first = error.connectionErrors.first else { return "the name could not be resolved" }
        return describe(first.error)
    case ChannelError.connectTimeout: return "no answer within the time limit"
    case ChannelError.ioOnClosedChannel, ChannelError.eof, ChannelError.alreadyClosed:
        return "the connection was closed"
    // The remote's socket ended without TLS's farewell: common, and no more than any other end.
    case NIOSSLError.uncleanShutdown: return "the connection was closed"
    default: return "\(error)"
    }
}

private func describe(errno code: CInt) -> String {
    switch code {
    case ECONNREFUSED: "connection refused: nothing listens there"
    case EHOSTUNREACH, ENETUNREACH: "that network cannot be reached from here"
    case ETIMEDOUT: "no answer within the time limit"
    case ECONNRESET, EPIPE: "the other side broke the connection"
    case EADDRINUSE: "the port is in use"
    case EADDRNOTAVAIL: "this machine has no such address"
    case EACCES: "the operating system does not permit it"
    case EMFILE, ENFILE: "no file descriptors are left"
    default: String(cString: strerror(code))
    }
}
