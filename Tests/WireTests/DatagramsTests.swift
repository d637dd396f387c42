import NIOCore
import Testing
import Wire

@Suite("A train of datagrams")
struct DatagramsTests {
    private func datagram(_ count: Int, _ byte: UInt8 = 1) -> ByteBuffer { ByteBuffer(repeating: byte, count: count) }

    @Test("What is coupled comes off again, in order")
    func roundTrip() {
        var train = Datagrams(datagram(100, 1))
        #expect(train.append(datagram(100, 2)) == true)
        #expect(train.append([UInt8](repeating: 3, count: 40)) == true)
        #expect(train.count == 3 && train.segmentSize == 100)
        #expect(train.popFirst() == datagram(100, 1))
        #expect(train.popFirst() == datagram(100, 2))
        #expect(train.popFirst() == datagram(40, 3))
        #expect(train.popFirst() == nil)
        #expect(train.isEmpty)
    }

    @Test("A longer datagram, and one behind a shorter one, start another train")
    func shapes() {
        var train = Datagrams(datagram(100))
        #expect(train.append(datagram(101)) == false)
        #expect(train.append(datagram(99)) == true)
        #expect(train.append(datagram(99)) == false)
        #expect(train.append(ByteBuffer()) == false)
        #expect(train.count == 2)
    }

    @Test("An empty train takes any first datagram and has none to give")
    func empty() {
        var train = Datagrams()
        #expect(train.isEmpty && train.count == 0)
        #expect(train.popFirst() == nil)
        #expect(train.append(ByteBuffer()) == false)
        #expect(train.append(datagram(1200)) == true)
        #expect(train.segmentSize == 1200)
    }

    @Test("Datagrams of one kind come off together")
    func kindsComeOffTogether() {
        var train = Datagrams(bytes: ByteBuffer(bytes: [1, 0, 1, 0, 2, 0, 1]), segmentSize: 2)
        #expect(train.popFirst(while: { $0 == 2 }).isEmpty)
        let ones = train.popFirst { $0 == 1 }
        #expect(ones.count == 2 && ones.segmentSize == 2)
        let rest = train.popFirst { $0 < 3 }
        #expect(rest.count == 2 && rest.bytes.readableBytes == 3)
        #expect(train.isEmpty && train.popFirst(while: { _ in true }).isEmpty)
    }

    @Test("A train is full at the limits of the kernel", arguments: [1, 64, 1200])
    func full(size: Int) {
        var train = Datagrams()
        while train.append(datagram(size)) {}
        #expect(train.count <= Limits.datagramTrainCount)
        #expect(train.bytes.readableBytes <= Limits.datagramTrain)
        #expect(train.count == min(Limits.datagramTrainCount, Limits.datagramTrain / size))
    }

    @Test("A size of a socket that makes no sense means one datagram", arguments: [-1, 0, 300, 301, Int.max])
    func received(size: Int) {
        var train = Datagrams(bytes: datagram(300), segmentSize: size)
        #expect(train.count == 1)
        #expect(train.popFirst() == datagram(300))
        #expect(train.popFirst() == nil)
    }

    @Test("A received train comes apart, the last datagram shorter", arguments: [1, 7, 100, 299])
    func apart(size: Int) {
        var train = Datagrams(bytes: datagram(300), segmentSize: size)
        let count = train.count
        var lengths: [Int] = []
        while let next = train.popFirst() { lengths.append(next.readableBytes) }
        #expect(lengths.count == count)
        #expect(lengths.reduce(0, +) == 300)
        #expect(lengths.dropLast().allSatisfy { $0 == size })
    }
}

@Suite("A transport address")
struct TransportAddressTests {
    @Test(
        "It is written as people write it",
        arguments: [
            ("127.0.0.1", 9095 as UInt16, "127.0.0.1:9095"), ("::1", 1, "[::1]:1"),
            ("2001:db8::7", 65_535, "[2001:db8::7]:65535"),
        ])
    func text(ip: String, port: UInt16, text: String) throws {
        #expect(TransportAddress(try #require(IPAddress(ip)), port: port).description == text)
    }

    @Test("It is ordered by address, then port")
    func order() throws {
        let low = TransportAddress(try #require(IPAddress("10.0.0.1")), port: 9)
        let port = TransportAddress(try #require(IPAddress("10.0.0.1")), port: 10)
        let high = TransportAddress(try #require(IPAddress("10.0.0.2")), port: 1)
        #expect([high, port, low].sorted() == [low, port, high])
    }

    @Test("An address for webrtc-direct has the shape that dialers look for")
    func direct() throws {
        let address = Multiaddr(try #require(IPAddress("192.0.2.1")), webRTCDirect: 9095)
        #expect(address.description == "/ip4/192.0.2.1/udp/9095/webrtc-direct")
        #expect(
            address.dialTarget
                == .webRTCDirect(try #require(IPAddress("192.0.2.1")), port: 9095, certhashes: []))
    }
}
