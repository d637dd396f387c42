package import Wire

/// A TURN server and who we are to it.
package struct TURNServer: Hashable, Sendable {
    /// What leads to the server; what the server relays is UDP either way.
    package enum Transport: Hashable, Sendable {
        case udp
        case tcp
    }

    package var address: TransportAddress
    package var transport: Transport
    package var username: String
    package var password: String

    package init(address: TransportAddress, transport: Transport = .udp, username: String, password: String) {
        (self.address, self.transport) = (address, transport)
        (self.username, self.password) = (username, password)
    }
}
