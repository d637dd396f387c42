/// What passed through a UDP socket. A train of datagrams costs one system call.
package struct DatagramSocketStatistics: Hashable, Sendable {
    package var receivedDatagrams = 0
    package var receivedBytes = 0
    package var receivedTrains = 0
    package var sentDatagrams = 0
    package var sentBytes = 0
    package var sentTrains = 0
    /// Datagrams that found the queue full, or that the system refused to send: no route, not permitted.
    package var droppedDatagrams = 0
    /// Longer than the socket takes.
    package var oversizedDatagrams = 0
}
