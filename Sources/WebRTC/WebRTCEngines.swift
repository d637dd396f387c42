/// Makes the engines beneath a peer connection: OpenSSL and usrsctp in the program, plain ones in the simulator.
///
/// One certificate stands behind every association it makes.
package protocol WebRTCEngines: Sendable {
    /// Of our certificate.
    var fingerprint: Fingerprint { get }
    /// - Parameter cookie: nil: answer the first hello at once. Otherwise a server keeps no state until the client
    ///   has shown, by a cookie bound to these bytes (its address, say), that it receives what is sent to it.
    func makeDTLS(_ role: DTLSRole, cookie: [UInt8]?) -> any DTLSEngine
    /// - Parameters:
    ///   - streams: how many streams to begin with, each way.
    ///   - largestPacket: bytes of a packet at most: ``DTLSEngine/largestPacket``.
    ///   - largestMessage: bytes of a message at most, both ways.
    func makeSCTP(streams: Int, largestPacket: Int, largestMessage: Int) -> any SCTPEngine
}
