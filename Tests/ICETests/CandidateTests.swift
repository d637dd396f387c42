import NIOCore
import Testing
import VectorFiles
import Wire

@testable import ICE

@Suite struct CandidateTests {
    @Test func prioritiesAreThoseOfTheVectors() throws {
        for vector in try Vectors.load("ice") {
            if let name = vector.input["type"] as? String {
                let type = try #require(ICECandidateType(name: name))
                let preference = try #require(vector.input["local_preference"] as? Int)
                let priority = ICECandidate.priority(type, localPreference: UInt16(preference))
                #expect(Int(priority) == vector.output["priority"] as? Int, "\(vector.name)")
            }
            if let controlling = vector.input["controlling_priority"] as? Int {
                let controlled = try #require(vector.input["controlled_priority"] as? Int)
                let priority = CandidatePair.priority(
                    controlling: UInt32(controlling), controlled: UInt32(controlled))
                #expect(String(priority) == vector.output["pair_priority"] as? String, "\(vector.name)")
            }
        }
        #expect(CandidatePair.priority(controlling: .max, controlled: .max) == .max - 1)
    }

    @Test func linesAreReadAsTheVectorsSay() throws {
        for vector in try Vectors.load("ice") {
            guard let text = vector.input["line"] as? String else { continue }
            let line = try ICECandidateLine(parsing: text)
            #expect(line.foundation == vector.output["foundation"] as? String)
            #expect(Int(line.component) == vector.output["component"] as? Int)
            #expect(line.transport.lowercased() == vector.output["transport"] as? String)
            #expect(Int(line.priority) == vector.output["priority"] as? Int)
            #expect(line.host == vector.output["host"] as? String)
            #expect(Int(line.port) == vector.output["port"] as? Int)
            #expect(line.type == vector.output["type"] as? String)
            #expect(line.relatedAddress == vector.output["raddr"] as? String)
            #expect(line.relatedPort.map(Int.init) == vector.output["rport"] as? Int)
            #expect(line.tcpType == vector.output["tcptype"] as? String)

            if vector.output["mdns"] as? Bool == true {
                #expect(throws: CandidateError.unusable(.name(line.host))) { try ICECandidate(parsing: text) }
            } else if line.tcpType != nil {
                #expect(throws: CandidateError.unusable(.tcp)) { try ICECandidate(parsing: text) }
            } else {
                let candidate = try ICECandidate(parsing: text)
                #expect(try ICECandidate(parsing: candidate.description) == candidate)
                #expect(try ICECandidate(parsing: "a=" + text) == candidate)
            }
        }
    }

    @Test(arguments: [
        ("candidate:1 2 udp 1 192.0.2.1 9 typ host", CandidateError.unusable(.component(2))),
        ("candidate:1 1 dccp 1 192.0.2.1 9 typ host", .unusable(.unknown("dccp"))),
        ("candidate:1 1 udp 1 192.0.2.1 9 typ magic", .unusable(.unknown("magic"))),
        ("candidate:1 1 udp 1 192.0.2.1 0 typ host", .unusable(.address)),
        ("candidate:1 1 udp 1 0.0.0.0 9 typ host", .unusable(.address)),
        ("candidate:1 1 udp 1 ff02::1 9 typ host", .unusable(.address)),
        ("candidate:1 1 udp 1 224.0.0.1 9 typ host", .unusable(.address)),
        ("candidate:1 1 udp 1 fe80::1%eth0 9 typ host", .unusable(.name("fe80::1%eth0"))),
        ("", .malformed), ("candidate:", .malformed), ("candidate:1 1 udp 1 192.0.2.1 9 typ", .malformed),
        ("candidate: 1 udp 1 192.0.2.1 9 typ host", .malformed),
        ("candidate:a_b 1 udp 1 192.0.2.1 9 typ host", .malformed),
        ("candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 9 typ host", .malformed),
        ("candidate:1 0 udp 1 192.0.2.1 9 typ host", .malformed),
        ("candidate:1 257 udp 1 192.0.2.1 9 typ host", .malformed),
        ("candidate:1 1 udp 4294967296 192.0.2.1 9 typ host", .malformed),
        ("candidate:1 1 udp -1 192.0.2.1 9 typ host", .malformed),
        ("candidate:1 1 udp 1 192.0.2.1 65536 typ host", .malformed),
        ("candidate:1 1 udp 1 192.0.2.1 9 type host", .malformed),
        ("remote:1 1 udp 1 192.0.2.1 9 typ host", .malformed),
    ])
    func whatIsNotForUsSaysWhy(line: String, error: CandidateError) {
        #expect(throws: error) { try ICECandidate(parsing: line) }
    }

    @Test func oddButFineLinesAreRead() throws {
        for line in [
            "candidate:1 1 UDP 1 192.0.2.1 9 typ HOST", "candidate:1  1 udp 1 192.0.2.1 9 TYP host  generation 0\r\n",
            "candidate:1 1 udp 1 192.0.2.1 9 typ host raddr nonsense rport 99999 lonely",
            "a=candidate:1 1 udp 1 192.0.2.1 9 typ host ufrag x network-id 1 network-cost 999",
        ] {
            let candidate = try ICECandidate(parsing: line)
            #expect(candidate.type == .host && candidate.related == nil, "\(line)")
        }
    }

    @Test func aLineBeyondTheLimitIsRefused() {
        let line = "candidate:1 1 udp 1 192.0.2.1 9 typ host" + String(repeating: " x y", count: 300)
        #expect(throws: CandidateError.tooLong) { try ICECandidate(parsing: line) }
    }

    @Test func foundationsAreTheSameForTheSameBaseOnly() throws {
        let one = try ICECandidate.host(TransportAddress(#require(IPAddress("192.0.2.1")), port: 1))
        let two = try ICECandidate.host(TransportAddress(#require(IPAddress("192.0.2.1")), port: 2))
        let three = try ICECandidate.host(TransportAddress(#require(IPAddress("192.0.2.2")), port: 1))
        #expect(one.foundation == two.foundation && one.foundation != three.foundation)
        #expect(one.description == "candidate:\(one.foundation) 1 udp 2130706431 192.0.2.1 1 typ host")
    }

    @Test func credentialsAreValidAndNew() {
        var entropy = Entropy.seeded(1)
        let one = ICECredentials(from: &entropy)
        #expect(one.isValid)
        #expect(one != ICECredentials(from: &entropy))
        #expect(!ICECredentials(ufrag: "abc", password: one.password).isValid)
        #expect(!ICECredentials(ufrag: "ab:d", password: one.password).isValid)
        #expect(!ICECredentials(ufrag: one.ufrag, password: "short").isValid)
        #expect(!ICECredentials(ufrag: String(repeating: "a", count: 257), password: one.password).isValid)
    }

    @Test func basesDoNotReachEverywhere() throws {
        for (base, remote, can) in [
            ("192.0.2.1", "198.51.100.1", true), ("192.0.2.1", "2001:db8::1", false), ("127.0.0.1", "192.0.2.1", false),
            ("127.0.0.1", "127.0.0.1", true), ("192.0.2.1", "127.0.0.1", true), ("0.0.0.0", "192.0.2.1", true),
            ("2001:db8::1", "2001:db8::2", true), ("2001:db8::1", "fe80::1", false), ("fe80::1", "fe80::2", true),
            ("fe80::1", "2001:db8::1", false), ("::", "fe80::1", true), ("::1", "2001:db8::1", false),
        ] {
            let base = try #require(IPAddress(base))
            let remote = try #require(IPAddress(remote))
            #expect(CandidatePair.canReach(remote, from: base) == can, "\(base) \(remote)")
        }
    }

    @Test func relaysAreNotAskedForOthersNetworks() throws {
        for (relayed, remote, can) in [
            ("192.0.2.1", "198.51.100.1", true), ("192.0.2.1", "192.168.1.1", false), ("192.0.2.1", "127.0.0.1", false),
            ("192.0.2.1", "169.254.1.1", false), ("192.0.2.1", "100.64.0.1", false), ("10.0.0.1", "192.168.1.1", true),
            ("10.0.0.1", "192.0.2.1", true), ("127.0.0.1", "127.0.0.1", true), ("2001:db8::1", "fd00::1", false),
        ] {
            let relayed = try #require(IPAddress(relayed))
            let remote = try #require(IPAddress(remote))
            #expect(CandidatePair.canReach(remote, fromRelay: relayed) == can, "\(relayed) \(remote)")
        }
    }
}
