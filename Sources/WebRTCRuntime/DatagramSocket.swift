import DequeModule
import Glibc
import ICE
package import NIOCore
import NIOPosix
package import Wire

/// One UDP socket on an event loop, whose unit is the train of datagrams.
///
/// Segmentation offload (UDP_SEGMENT, UDP_GRO) carries a train by one system call; where the kernel has none, or the
/// interface refuses it, the socket sends the datagrams one by one and remembers. Nothing here ever waits: when the
/// send buffer is full, trains queue to `Limits.datagramSendQueue` bytes and then are dropped.
///
/// NIO's datagram channel only tells when there is something to read, and reads the first of it; the rest is read, and
/// everything is sent, by the calls themselves. Reasons: NIO closes the channel when one datagram cannot be sent (no
/// route, forbidden by a firewall, segmentation refused), and this socket serves many remotes; and it spends 3 to 4
/// µs on a datagram beyond the system call, a third of what the whole stack spends on one without offload.
///
/// A socket of the unspecified address has all addresses of the machine. On request it tells to which of them a train
/// was sent, and sends from the one it is told: a remote that checks a path takes no answer from elsewhere.
///
/// Confined to its loop. It lives until ``close()``.
package final class DatagramSocket {
    /// Where it is bound, with the port the system chose.
    package let localAddress: TransportAddress
    package internal(set) var statistics = DatagramSocketStatistics()
    /// Whether trains go out by one call; turns false for good when the system refuses.
    package internal(set) var segmentsOnSend: Bool
    /// Whether trains come in by one call.
    package let coalescesOnReceive: Bool
    /// Whether it says to which address a remote sent, not merely the unspecified one.
    package let tellsDestination: Bool

    let loop: any EventLoop
    /// Ours, beside NIO's for the same socket: no other file can get its number before we close it.
    let descriptor: CInt
    let control = UnsafeMutableRawPointer.allocate(byteCount: DatagramSocket.controlLength, alignment: 8)
    var isOpen = true
    var queue: Deque<(train: Datagrams, path: ICEPath)> = []
    var queuedBytes = 0
    var isRetryScheduled = false

    private enum Registration {
        case none
        case underWay
        case done(any Channel)
    }
    private var registration = Registration.none
    private var receive: ((Datagrams, TransportAddress, TransportAddress) -> Void)?
    private var finishRead: (() -> Void)?
    private var inbox: ByteBuffer
    private let room: Int

    /// Space for any control message we ask for.
    static let controlLength = 128

    /// Binds a socket; it reads from ``start(received:readEnded:)`` on, and may send at once.
    ///
    /// - Parameters:
    ///   - address: of this machine, or the unspecified one; port 0 takes any free port. One of version 6 never takes
    ///     the datagrams of version 4.
    ///   - loop: the one we are on.
    ///   - offload: false to send and receive each datagram by a call of its own.
    ///   - tellsDestination: for a listener on the unspecified address; of no consequence for another.
    package init(
        bindingTo address: TransportAddress, on loop: any EventLoop, offload: Bool = true,
        tellsDestination: Bool = false
    ) throws(DatagramSocketError) {
        loop.preconditionInEventLoop()
        let bound = try BoundSocket(address, offload: offload, tellsDestination: tellsDestination)
        self.loop = loop
        descriptor = bound.descriptor
        localAddress = bound.address
        coalescesOnReceive = bound.coalesces
        self.tellsDestination = bound.tellsDestination
        segmentsOnSend = offload && bound.segments
        room = bound.coalesces ? 1 << 16 : Limits.datagramReceived
        inbox = ByteBufferAllocator().buffer(capacity: bound.coalesces ? 2 << 16 : 1 << 16)
    }

    deinit { control.deallocate() }

    /// Begins to read.
    ///
    /// - Parameters:
    ///   - received: gets each train with its source and ``localAddress``, or what ``tellsDestination`` has in the place
    ///     of that. Trains of one read arrive in one turn of the loop.
    ///   - readEnded: after the last train of a read: the moment to answer.
    package func start(
        received: @escaping (_ train: Datagrams, _ remote: TransportAddress, _ local: TransportAddress) -> Void,
        readEnded: @escaping () -> Void
    ) {
        guard case .none = registration, isOpen else { return }
        (receive, finishRead) = (received, readEnded)
        let again = dup(descriptor)
        guard again >= 0 else { return }
        registration = .underWay
        let bound = NIOLoopBound(self, eventLoop: loop)
        DatagramBootstrap(group: loop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: room + 1))
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if bound.value.coalescesOnReceive {
                        try channel.syncOptions?.setOption(.datagramReceiveSegmentSize, value: true)
                    }
                    if bound.value.tellsDestination {
                        try channel.syncOptions?.setOption(.receivePacketInfo, value: true)
                    }
                    try channel.pipeline.syncOperations.addHandler(FirstRead(bound.value))
                }
            }
            .withBoundSocket(again)
            .whenComplete { bound.value.registered($0) }
    }

    private func registered(_ result: Result<any Channel, any Error>) {
        guard case .success(let channel) = result else { return close() }  // no descriptor was left for it
        guard isOpen else { return channel.close(promise: nil) }
        registration = .done(channel)
        if !isReading { pause(channel) }
    }

    /// False: what arrives stays with the kernel, which drops it when its buffer is full.
    package var isReading = true {
        didSet {
            if isReading != oldValue, case .done(let channel) = registration { pause(channel) }
        }
    }

    private func pause(_ channel: any Channel) {
        try? channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    /// Ends reading and sending at once; what was queued is lost.
    package func close() {
        guard isOpen else { return }
        isOpen = false
        if case .done(let channel) = registration { channel.close(promise: nil) }
        _ = Glibc.close(descriptor)
        queue.removeAll()
        (receive, finishRead) = (nil, nil)
    }

    // MARK: Reading

    /// What NIO read to find out that there is something, then the rest.
    fileprivate func read(_ first: Datagrams, from remote: SocketAddress, to destination: SocketAddress?) {
        // NIO does not say that it cut a datagram, so it gets more room than one may have.
        if first.bytes.readableBytes > room {
            statistics.oversizedDatagrams += 1
        } else if let remote = TransportAddress(remote) {
            emit(first, path(from: remote, to: destination.flatMap { TransportAddress($0) }?.ip))
        }
        var total = first.bytes.readableBytes
        var train = Train()
        while isOpen, isReading, total < Limits.datagramBytesPerTurn {
            if inbox.writableBytes < room {
                emit(&train)
                inbox.clear()
            }
            guard let arrival = nextArrival() else { break }
            total += arrival.length
            if !train.couples(arrival) {
                emit(&train)
                train = Train(arrival, at: inbox.writerIndex - arrival.length)
            }
        }
        emit(&train)
        inbox.clear()
        finishRead?()
    }

    /// Datagrams of one remote behind each other in the inbox.
    private struct Train {
        var start = 0
        var length = 0
        var segmentSize = 0
        var path: ICEPath?

        init() {}

        init(_ arrival: Arrival, at start: Int) {
            (self.start, length, segmentSize, path) = (start, arrival.length, arrival.segmentSize, arrival.path)
        }

        /// Takes more of the same kind, as segmentation would have cut it.
        mutating func couples(_ arrival: Arrival) -> Bool {
            guard segmentSize > 0, arrival.path == path, arrival.length <= segmentSize,
                length.isMultiple(of: segmentSize), length + arrival.length <= Limits.datagramTrain
            else { return false }
            length += arrival.length
            return true
        }
    }

    /// What one call brought: as a rule one datagram, with receive offload a train.
    private struct Arrival {
        var length: Int
        var segmentSize: Int
        var path: ICEPath
    }

    private func emit(_ train: inout Train) {
        guard train.length > 0, let path = train.path,
            let bytes = inbox.getSlice(at: train.start, length: train.length)
        else { return }
        let datagrams = Datagrams(bytes: bytes, segmentSize: train.segmentSize)
        train = Train()
        emit(datagrams, path)
    }

    private func emit(_ datagrams: Datagrams, _ path: ICEPath) {
        guard isOpen, !datagrams.isEmpty else { return }
        statistics.receivedTrains += 1
        statistics.receivedDatagrams += datagrams.count
        statistics.receivedBytes += datagrams.bytes.readableBytes
        receive?(datagrams, path.remote, path.local)
    }

    private func path(from remote: TransportAddress, to destination: IPAddress?) -> ICEPath {
        let local = destination.map { TransportAddress($0, port: localAddress.port) } ?? localAddress
        return ICEPath(local: local, remote: remote)
    }

    /// Reads once into the inbox; nil when there is nothing more.
    private func nextArrival() -> Arrival? {
        while true {
            var name = SocketName()
            var told = ControlMessage.Told()
            var isCut = false
            let count = inbox.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { bytes in
                let result = receiveMessage(into: bytes, &name, &told, &isCut)
                return isCut ? 0 : max(result, 0)
            }
            if isCut {
                statistics.oversizedDatagrams += 1
            } else if count == 0 {
                return nil  // nothing there; or an empty datagram, which says nothing and ends the read early at worst
            } else if let remote = name.address {
                let isTrain = told.segmentSize > 0 && told.segmentSize < count
                return Arrival(
                    length: count, segmentSize: isTrain ? told.segmentSize : count,
                    path: path(from: remote, to: told.destination))
            }
        }
    }

    private func receiveMessage(
        into bytes: UnsafeMutableRawBufferPointer, _ name: inout SocketName, _ told: inout ControlMessage.Told,
        _ isCut: inout Bool
    ) -> Int {
        let hasControl = coalescesOnReceive || tellsDestination
        var vector = iovec(iov_base: bytes.baseAddress, iov_len: room)
        return name.withPointer { pointer, length in
            withUnsafeMutablePointer(to: &vector) { vectors in
                var message = msghdr()
                message.msg_name = UnsafeMutableRawPointer(pointer)
                message.msg_namelen = length
                message.msg_iov = vectors
                message.msg_iovlen = 1
                if hasControl {
                    message.msg_control = control
                    message.msg_controllen = Self.controlLength
                }
                var count = recvmsg(descriptor, &message, 0)
                while count < 0, errno == EINTR { count = recvmsg(descriptor, &message, 0) }
                guard count > 0 else { return count }
                isCut = message.msg_flags & CInt(MSG_TRUNC) != 0
                if hasControl { told = ControlMessage.Told(UnsafeRawPointer(control), message.msg_controllen) }
                return count
            }
        }
    }
}

/// NIO's part: says that there is something to read, and brings the first of it.
private final class FirstRead: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let socket: DatagramSocket

    init(_ socket: DatagramSocket) { self.socket = socket }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        let train = Datagrams(bytes: envelope.data, segmentSize: envelope.metadata?.segmentSize ?? 0)
        socket.read(
            train, from: envelope.remoteAddress, to: envelope.metadata?.packetInfo?.destinationAddress)
    }

    /// An ICMP error for an earlier datagram is no reason to stop listening.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
