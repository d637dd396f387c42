import DequeModule
import Glibc
import ICE
import NIOCore
package import Wire

/// Sending: at once when it can be, by the queue when the socket's buffer is full.
extension DatagramSocket {
    /// Sends a train, one system call for all of it where the system can.
    ///
    /// What cannot be sent is dropped: UDP promises nothing, and whoever sends on top of it sends again.
    ///
    /// - Parameter local: the address of ours to send from, for a socket that ``tellsDestination``; nil: the system's choice.
    package func send(_ train: Datagrams, to remote: TransportAddress, from local: TransportAddress? = nil) {
        let path = ICEPath(local: local ?? localAddress, remote: remote)
        guard isOpen, !train.isEmpty else { return }
        var rest = train
        if queue.isEmpty, transmit(&rest, on: path) { return }
        guard queuedBytes + rest.bytes.readableBytes <= Limits.datagramSendQueue else {
            statistics.droppedDatagrams += rest.count
            return
        }
        queue.append((rest, path))
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
            guard transmit(&first.train, on: first.path) else {
                queuedBytes += first.train.bytes.readableBytes
                queue.prepend(first)
                return scheduleRetry()
            }
        }
    }

    /// Sends as much as there is room for; false when some of the train is left.
    private func transmit(_ train: inout Datagrams, on path: ICEPath) -> Bool {
        var name = SocketName(path.remote)
        let source = tellsDestination && !path.local.ip.isUnspecified ? path.local.ip : nil
        while !train.isEmpty {
            let longest = min(Limits.datagramTrainCount, max(1, Limits.datagramTrain / train.segmentSize))
            var count = segmentsOnSend ? min(train.count, longest) : 1
            var result = transmit(count, of: train, to: &name, from: source)
            if count > 1, result == .refused {
                count = 1
                result = transmit(1, of: train, to: &name, from: source)
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
    private func transmit(
        _ count: Int, of train: Datagrams, to name: inout SocketName, from source: IPAddress?
    ) -> SendResult {
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
                    var used = 0
                    if count > 1 { ControlMessage.write(segmentSize: train.segmentSize, to: control, &used) }
                    if let source { ControlMessage.write(source: source, to: control, &used) }
                    if used > 0 {
                        message.msg_control = control
                        message.msg_controllen = used
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
