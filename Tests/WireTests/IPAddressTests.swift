import Testing

@testable import Wire

@Suite struct IPAddressTests {
    enum Kind: CaseIterable { case loopback, unspecified, linkLocal, multicast, isPrivate, isPublic, reserved }

    @Test(arguments: [
        ("127.0.0.1", Kind.loopback), ("127.255.255.255", .loopback), ("128.0.0.1", .isPublic), ("::1", .loopback),
        ("::ffff:127.0.0.1", .loopback), ("0.0.0.0", .unspecified), ("::", .unspecified), ("0.0.0.1", .reserved),
        ("169.254.1.1", .linkLocal), ("fe80::1", .linkLocal), ("febf::1", .linkLocal), ("fec0::1", .reserved),
        ("224.0.0.251", .multicast), ("239.1.1.1", .multicast), ("ff02::fb", .multicast), ("10.0.0.1", .isPrivate),
        ("172.16.0.1", .isPrivate), ("172.31.255.255", .isPrivate), ("172.32.0.0", .isPublic),
        ("192.168.1.1", .isPrivate), ("192.169.1.1", .isPublic), ("100.64.0.1", .isPrivate), ("100.128.0.1", .isPublic),
        ("fd00::1", .isPrivate), ("fc00::1", .isPrivate), ("fe00::1", .reserved), ("8.8.8.8", .isPublic),
        ("2001:4860:4860::8888", .isPublic), ("2001:db8::1", .reserved), ("192.0.2.1", .reserved),
        ("198.51.100.7", .reserved), ("203.0.113.7", .reserved), ("198.19.0.1", .reserved), ("240.0.0.1", .reserved),
        ("255.255.255.255", .reserved), ("::ffff:10.1.2.3", .isPrivate), ("::ffff:8.8.8.8", .isPublic),
    ]) func tellsWhatKindOfPlaceItIs(_ text: String, _ kind: Kind) throws {
        let address = try #require(IPAddress(text))
        #expect(address.isLoopback == (kind == .loopback))
        #expect(address.isUnspecified == (kind == .unspecified))
        #expect(address.isLinkLocal == (kind == .linkLocal))
        #expect(address.isMulticast == (kind == .multicast))
        #expect(address.isPrivate == (kind == .isPrivate))
        #expect(address.isPublic == (kind == .isPublic))
    }

    @Test func everyNumberSurvivesItsText() throws {
        var entropy = Entropy.seeded(6)
        for round in 0..<500 {
            // Many zero groups, so that every place of the `::` occurs.
            let sparse = entropy.next() & entropy.next() & entropy.next()
            let high = round % 2 == 0 ? sparse & 0xFFFF_0000_FFFF_0000 : sparse
            let six = IPv6Address(high: high, low: round % 3 == 0 ? 0 : entropy.next())
            #expect(IPv6Address(six.description) == six)
            #expect(IPv6Address(bytes: six.bytes) == six)
            let four = IPv4Address(UInt32(truncatingIfNeeded: entropy.next()))
            #expect(IPv4Address(four.description) == four)
            #expect(IPv4Address(bytes: four.bytes) == four)
        }
    }
}
