import DequeModule
import NIOCore
import WebRTC

/// What an actor's reader waits for: items that come, an end, and at most one reader at a time.
struct Inbox<Item: Sendable> {
    private(set) var items: Deque<Item> = []
    private(set) var end: Result<Void, WebRTCError>?
    private var reader: CheckedContinuation<Result<Item?, WebRTCError>, Never>?

    /// A new item: to the reader that waits, or to the others; true when it stays here.
    mutating func append(_ item: Item) -> Bool {
        if let waiting = reader {
            reader = nil
            waiting.resume(returning: .success(item))
            return false
        }
        items.append(item)
        return true
    }

    /// The next item if there is one, or the end; nil when one must wait.
    mutating func take() -> Result<Item?, WebRTCError>? {
        if let item = items.popFirst() { return .success(item) }
        return end.map { end in end.map { nil } }
    }

    /// Waits; a second reader at once is a mistake of the application and gets told.
    mutating func wait(_ continuation: CheckedContinuation<Result<Item?, WebRTCError>, Never>) {
        guard reader == nil else {
            let error = WebRTCError(.wrongState, "somebody else is reading here")
            return continuation.resume(returning: .failure(error))
        }
        reader = continuation
    }

    /// Nothing more comes. What is here can still be taken.
    mutating func finish(_ result: Result<Void, WebRTCError>) {
        guard end == nil else { return }
        end = result
        reader?.resume(returning: result.map { nil })
        reader = nil
    }

    /// The reader waits no longer.
    mutating func cancel() {
        reader?.resume(returning: .failure(.cancelled))
        reader = nil
    }
}
