import Glibc

/// One descriptor that becomes readable when any of several does, for a loop that waits for one.
///
/// A thread polls them and then waits for ``rearm()``, so that it never spins while its reader is busy.
final class MergedWake: Sendable {
    /// Readable when one of the others is.
    let descriptor: Int32
    private let wake: WakePipe
    private let acknowledge: WakePipe

    /// What the thread needs; lives as long as the process.
    private final class Watch: Sendable {
        let descriptors: [Int32]
        let wake: Int32
        let acknowledge: Int32

        init(_ descriptors: [Int32], wake: Int32, acknowledge: Int32) {
            self.descriptors = descriptors
            self.wake = wake
            self.acknowledge = acknowledge
        }

        func run() {
            while true {
                Self.wait(for: descriptors)
                var byte: UInt8 = 1
                _ = write(wake, &byte, 1)
                Self.wait(for: [acknowledge])
                while read(acknowledge, &byte, 1) > 0 {}
            }
        }

        private static func wait(for descriptors: [Int32]) {
            var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            while poll(&entries, nfds_t(entries.count), -1) < 0 {}
        }
    }

    /// Begins to watch; the descriptors must stay open until the process ends.
    init(_ descriptors: [Int32]) throws(Failure) {
        wake = try WakePipe()
        acknowledge = try WakePipe()
        descriptor = wake.readable
        let watch = Watch(descriptors, wake: wake.writable, acknowledge: acknowledge.readable)
        var thread = pthread_t()
        let context = Unmanaged.passRetained(watch).toOpaque()
        let result = pthread_create(&thread, nil, Self.body, context)
        guard result == 0 else { throw .system(.system, "cannot start", errno: result) }
        pthread_detach(thread)
    }

    private static let body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
        context.map { Unmanaged<Watch>.fromOpaque($0).takeRetainedValue().run() }
        return nil
    }

    /// Call after everything was taken from the others.
    func rearm() {
        var byte: UInt8 = 1
        while read(wake.readable, &byte, 1) > 0 {}
        byte = 1
        _ = write(acknowledge.writable, &byte, 1)
    }
}
