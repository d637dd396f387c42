import Glibc
import NIOCore
import NIOSSL
import Wire

/// The certificate that listeners show, as its files held it last; read again when they change.
///
///     read ──a file is another one──▶ read anew, or kept as it is when what is there now does not fit together
///
/// Whoever renews certificates replaces two files one after the other: in between they do not fit, and the next look
/// finds the second. Looks at most once per ``Limits/tlsFilePause``, and only when somebody connects. That is a `stat`
/// on the event loop; reading is a few kilobytes once in weeks.
struct ServerCertificate: Sendable {
    /// What a look at the files brought.
    enum Look: Equatable {
        case unchanged, renewed
        /// What is there now cannot be used; what was read before still is.
        case refused(String)
    }

    private let chain: String
    private let key: String
    private(set) var context: NIOSSLContext
    /// What the user should know of it.
    private(set) var notice: String?
    private var stamps: [FileStamp?]
    private var nextLook = NIODeadline.uptimeNanoseconds(0)

    /// Reads a chain of certificates and the private key of the first.
    init(chain: String, key: String) throws(TransportSecurityError) {
        (self.chain, self.key) = (chain, key)
        stamps = [FileStamp(chain), FileStamp(key)]
        (context, notice) = try Self.read(chain: chain, key: key)
    }

    /// Reads the files again when they are others than last time.
    mutating func look(now: NIODeadline) -> Look {
        guard nextLook <= now else { return .unchanged }
        nextLook = now + Limits.tlsFilePause
        let found = [FileStamp(chain), FileStamp(key)]
        guard found != stamps else { return .unchanged }
        stamps = found
        do throws(TransportSecurityError) {
            (context, notice) = try Self.read(chain: chain, key: key)
            return .renewed
        } catch {
            return .refused("\(error.part == .key ? key : chain): \(error.message)")
        }
    }

    private static func read(
        chain: String, key file: String
    ) throws(TransportSecurityError) -> (NIOSSLContext, notice: String?) {
        let certificates = try certificates(in: chain, .certificate)
        guard access(file, R_OK) == 0 else {
            throw TransportSecurityError(part: .key, message: String(cString: strerror(errno)))
        }
        guard let key = try? NIOSSLPrivateKey(file: file, format: .pem) else {
            throw TransportSecurityError(part: .key, message: "holds no private key in PEM form without a password")
        }
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key))
        guard let context = try? NIOSSLContext(configuration: configuration.forWebSocket()) else {
            throw TransportSecurityError(
                part: .key, message: "is not the key of the first certificate in \(chain)")
        }
        let facts = certificates.first.flatMap { try? $0.toDERBytes() }.flatMap { CertificateFacts($0) }
        let hasExpired = facts.map { $0.notAfter < CertificateFacts.now() } ?? false
        return (context, hasExpired ? "\(chain): this certificate has expired, browsers will refuse it" : nil)
    }
}

/// What changes when a file does.
private struct FileStamp: Equatable {
    private let seconds: Int
    private let nanoseconds: Int
    private let size: Int
    /// A file put in place of another may be as old and as long.
    private let inode: UInt

    init?(_ path: String) {
        var found = stat()
        guard stat(path, &found) == 0 else { return nil }
        (seconds, nanoseconds) = (Int(found.st_mtim.tv_sec), Int(found.st_mtim.tv_nsec))
        (size, inode) = (Int(found.st_size), UInt(found.st_ino))
    }
}
