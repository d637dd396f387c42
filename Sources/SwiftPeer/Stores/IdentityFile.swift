import Glibc
import NIOCore
import Wire

/// The peer's private key on disk: a protobuf `PrivateKey` (libp2p/specs peer-ids), mode 0600.
///
/// go-peer writes the same file. An open file is locked, because two running peers with one identity would take
/// each other's connections away.
struct IdentityFile: ~Copyable {
    /// What the file says.
    let keyPair: KeyPair
    /// Where it is; nil for an identity that lives only as long as the process.
    let path: String?
    /// What its owner should know: that others can read the file, or that a new identity had to do.
    let notice: String?
    private let descriptor: Int32

    private init(keyPair: KeyPair, path: String?, notice: String?, descriptor: Int32 = -1) {
        self.keyPair = keyPair
        self.path = path
        self.notice = notice
        self.descriptor = descriptor
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// An identity nobody wrote down.
    static func ephemeral(notice: String? = nil) -> IdentityFile {
        IdentityFile(keyPair: .generate(), path: nil, notice: notice)
    }

    /// Where the identity of `settings` is, its directory made when it is the default one.
    static func path(_ settings: StoreSettings) throws(Failure) -> String {
        if let identity = settings.identity { return identity }
        guard let directory = settings.directory else {
            throw Failure(.configuration, "no HOME to keep the identity in: use --data-dir, --identity or --ephemeral")
        }
        try SmallFile.makeDirectory(directory)
        return directory + "/identity.key"
    }

    /// Opens the identity for a running peer, and makes it when it is missing.
    ///
    /// When the default identity is in use by another peer of this user, the answer is an ephemeral one with a
    /// notice, so that a second terminal just works; a file that was asked for by name is refused instead.
    static func open(_ settings: StoreSettings) throws(Failure) -> IdentityFile {
        let path = try path(settings)
        let file = try load(path)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK else { return file }
        guard settings.identity == nil else { throw Failure(.busy, "\(path): in use by another running peer") }
        return .ephemeral(notice: "\(path) is in use by another running peer: this one has a new identity for once")
    }

    /// Reads the identity, and makes it when it is missing; takes no lock.
    static func load(_ path: String) throws(Failure) -> IdentityFile {
        var descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 && errno == ENOENT {
            _ = try SmallFile(path: path).create(Array(KeyPair.generate().protobuf.readableBytesView))
            // Whoever was first: what is there now is the identity.
            descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        }
        guard descriptor >= 0 else { throw .system(.io, path) }
        do {
            let bytes = try SmallFile.read(descriptor, path: path, limit: Limits.identityFile)
            let keyPair = try parse(bytes, path: path)
            let notice =
                isReadableByOthers(descriptor) ? "\(path) can be read by others: chmod 600 keeps it secret" : nil
            return IdentityFile(keyPair: keyPair, path: path, notice: notice, descriptor: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// The key in a file's bytes.
    static func parse(_ bytes: [UInt8], path: String) throws(Failure) -> KeyPair {
        guard !bytes.isEmpty else { throw Failure(.configuration, "\(path): empty, not an identity file") }
        do { return try KeyPair(protobuf: ByteBuffer(bytes: bytes)) } catch {
            switch error {
            case .cannotSign:
                throw Failure(.configuration, "\(path): a key of another kind than Ed25519, which cannot be used here")
            case .unknownType(let type):
                throw Failure(.configuration, "\(path): a key of unknown type \(type)")
            case .invalidKey:
                throw Failure(.configuration, "\(path): its key is damaged")
            case .malformed, .invalidPeerID:
                throw Failure(.configuration, "\(path): not an identity file (a libp2p private key in protobuf)")
            }
        }
    }

    private static func isReadableByOthers(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & 0o077 != 0
    }
}
