import ICE
import Wire

/// A TURN server and who we are to it (RFC 8656).
public struct TURNAccount: Sendable, Hashable, CustomStringConvertible {
    /// What leads to the server; what the server relays is UDP either way.
    public enum Transport: String, Sendable, CaseIterable { case udp, tcp }

    /// Where the server is.
    public let server: ServerAddress
    /// What leads there.
    public let transport: Transport
    /// Whom the server knows.
    public let username: String
    /// How the server knows it is us.
    public let password: String

    /// An account that is known piece by piece.
    public init(server: ServerAddress, transport: Transport = .udp, username: String, password: String) {
        (self.server, self.transport) = (server, transport)
        (self.username, self.password) = (username, password)
    }

    /// `turn:user:password@host[:port][?transport=udp|tcp]`: RFC 7065 with the credentials in it. The user ends at the
    /// first colon, the password at the last `@`; the port is 3478 unless it is named.
    ///
    /// - Throws: `invalid`, with what is wrong; the text is not repeated, as there may be a password in it.
    public init(parsing url: String) throws(PeerError) {
        let parsed: ICEServerURL
        do throws(ICEServerURLError) {
            parsed = try ICEServerURL(parsing: url)
        } catch {
            throw PeerError(.invalid, error.words)
        }
        guard case .turn(let username, let password, let transport) = parsed.kind else {
            throw PeerError(.invalid, ICEServerURLError.scheme.words)
        }
        self.init(
            server: ServerAddress(host: parsed.host, port: parsed.port), transport: transport == .tcp ? .tcp : .udp,
            username: username, password: password)
    }

    /// Without user and password.
    public var description: String { "turn:\(server.host):\(server.port)?transport=\(transport.rawValue)" }

    /// The server at one of its addresses.
    func server(at ip: IPAddress) -> TURNServer {
        TURNServer(
            address: TransportAddress(ip, port: server.port), transport: transport == .tcp ? .tcp : .udp,
            username: username, password: password)
    }
}

extension ICEServerURLError {
    /// What is wrong with the URL of a TURN server.
    fileprivate var words: String {
        let form = "not of the form turn:user:password@host:port"
        return switch self {
        case .tooLong: "longer than \(Limits.iceServerURL) bytes"
        case .scheme: form
        case .credentials: "\(form): user and password are missing"
        case .host: "\(form): that is no host"
        case .port: "\(form): that is no port, a number from 1 to 65535"
        case .transport: "after the port comes nothing, ?transport=udp or ?transport=tcp"
        }
    }
}
