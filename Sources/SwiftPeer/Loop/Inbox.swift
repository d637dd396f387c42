import Glibc
import Synchronization

/// Values from tasks on their way to a loop on the main thread, which waits for them with `poll`.
///
/// Bounded by its senders: each value answers a request, and requests are bounded.
final class Inbox<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    private let writable: Int32
    /// Readable when something is there.
    let descriptor: Int32

    /// An empty inbox; fails when the system has no descriptors left.
    init() throws(Failure) {
        let pipe = try WakePipe()
        (descriptor, writable) = (pipe.readable, pipe.writable)
    }

    deinit {
        close(descriptor)
        close(writable)
    }

    /// Adds one, from any thread.
    func send(_ element: Element) {
        elements.withLock { $0.append(element) }
        // A full pipe is readable already.
        var byte: UInt8 = 1
        _ = write(writable, &byte, 1)
    }

    /// Takes all there are, in the order they were sent.
    func drain() -> [Element] {
        var bytes: (UInt64, UInt64) = (0, 0)
        while read(descriptor, &bytes, 16) > 0 {}
        return elements.withLock { elements in
            let taken = elements
            elements = []
            return taken
        }
    }
}
