package import NIOCore

/// Runs a peer's actor on its event loop, and every task that prefers it.
///
/// A task on the global pool crosses to the loop and back at every `await` of a stream, some 15 µs each way. One that
/// prefers this executor stays on the loop, and an `await` costs a turn of it:
///
///     await withTaskExecutorPreference(peer.executor) {
///         while let bytes = try await stream.read() { try await stream.write(bytes) }
///     }
///
/// What runs here must not block: it would hold up the network.
public final class PeerExecutor: SerialExecutor, TaskExecutor {
    private let loop: any EventLoop

    /// An executor of a loop that never ends before it.
    package init(_ loop: any EventLoop) { self.loop = loop }

    /// Puts a job behind what the loop has to do already.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute {
            job.runSynchronously(
                isolatedTo: self.asUnownedSerialExecutor(), taskExecutor: self.asUnownedTaskExecutor())
        }
    }

    /// Channel handlers run on the loop, but not as jobs: that is how they may enter the actor at once.
    public func checkIsolated() { loop.preconditionInEventLoop() }

    /// The same question, for those who can live with the answer no.
    public func isIsolatingCurrentContext() -> Bool? { loop.inEventLoop }
}
