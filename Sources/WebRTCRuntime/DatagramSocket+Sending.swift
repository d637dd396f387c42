import DequeModule
import Glibc
import NIOCore
package import Wire

/// Sending: at once when it can be, by the queue when the socket's buffer is full.
extension DatagramSocket {
    /// Sends a train, one system call for all of it where the system can.
    ///
    /// What cannot be sent is dropped: UDP promises nothing, and whoever sends on top of it sends again.
    package func send(_ train: Datagrams, to remote: TransportAddress) {
        guard isOpen, !train.isEmpty else { return }
        var rest = train
        if queue.isEmpty, transmit(&rest, to: remote) { return }
        guard queuedBytes + rest.bytes.readableBytes <= Limits.datagramSendQueue else {
            statistics.droppedDatagrams += rest.count
            return
        }
        queue.append((rest, remote))
        queuedBytes += rest.bytes.readableBytes
        scheduleRetry()
    }

    private func scheduleRetry() {
        guard !isRetryScheduled else { return }
        isRetryScheduled = true
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: Limits.datagramRetry) { bound.value.retry() }
    }

    private func retry() {
        isRetryScheduled = false
        while isOpen, var first = queue.popFirst() {
            queuedBytes -= first.train.bytes.readableBytes
            guard transmit(&first.train, to: first.remote) else {
                queuedBytes += first.train.bytes.readableBytes
                queue.prepend(first)
                return scheduleRetry()
            }
        }
    }

    /// Sends as much as there is room for; false when some of the train is left.
    private func transmit(_ train: inout Datagrams, to remote: TransportAddress) -> Bool {
        var name = SocketName(remote)
        while !train.isEmpty {
            let longest = min(Limits.datagramTrainCount, max(1, Limits.datagramTrain / train.segmentSize))
            var count = segmentsOnSend ? min(train.count, longest) : 1
            var result = transmit(count, of: train, to: &name)
            if count > 1, result == .refused {
                count = 1
                result = transmit(1, of: train, to: &name)
                // One by one it works: so it was the segmentation.
                if result == .sent { segmentsOnSend = false }
            }
            switch result {
            case .full: return false
            case .refused: statistics.droppedDatagrams += count
            case .sent:
                statistics.sentTrains += 1
                statistics.sentDatagrams += count
            }
            for _ in 0..<count {
                let length = train.popFirst()?.readableBytes ?? 0
                if result == .sent { statistics.sentBytes += length }
            }
        }
        return true
    }

    private enum SendResult { case sent, full, refused }

    /// One system call for the first `count` datagrams.
    private func transmit(_ count: Int, of train: Datagrams, to name: inout SocketName) -> SendResult {
        train.bytes.withUnsafeReadableBytes { bytes in
            var vector = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                iov_len: min(count * train.segmentSize, bytes.count))
            return name.withPointer { pointer, length in
                withUnsafeMutablePointer(to: &vector) { vectors in
                    var message = msghdr()
                    message.msg_name = UnsafeMutableRawPointer(pointer)
                    message.msg_namelen = length
                    message.msg_iov = vectors
                    message.msg_iovlen = 1
                    if count > 1 {
                        ControlMessage.writeSegmentSize(train.segmentSize, to: control)
                        message.msg_control = control
                        message.msg_controllen = ControlMessage.segmentSizeSpace
                    }
                    return call(&message)
                }
            }
        }
    }

    private func call(_ message: inout msghdr) -> SendResult {
        while true {
            if sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL)) >= 0 { return .sent }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .full
            default: return .refused
            }
        }
    }
}

/// The layout of the control messages of UDP's offload, whose macros Swift does not see.
enum ControlMessage {
    /// `SOL_UDP`.
    static let udp: CInt = 17
    /// `UDP_SEGMENT`: cut what is sent into datagrams of so many bytes.
    static let segment: CInt = 103
    /// `UDP_GRO`: couple what arrives; says the size.
    static let coalesced: CInt = 104
    /// `CMSG_LEN(0)`.
    static let headerLength = MemoryLayout<cmsghdr>.size
    /// `CMSG_SPACE(sizeof(uint16_t))`.
    static let segmentSizeSpace = headerLength + 8

    static func writeSegmentSize(_ size: Int, to control: UnsafeMutableRawPointer) {
        var header = cmsghdr()
        header.cmsg_len = headerLength + MemoryLayout<UInt16>.size
        header.cmsg_level = udp
        header.cmsg_type = segment
        control.storeBytes(of: header, as: cmsghdr.self)
        control.storeBytes(of: UInt16(truncatingIfNeeded: size), toByteOffset: headerLength, as: UInt16.self)
    }
}
