package import NIOCore

/// The one shape every engine has: events and `now` go in, actions come out, one deadline.
///
/// Used as a generic constraint, never as an existential. The caller feeds an input, drains `poll()` until it
/// returns nil, then arranges to call `handle` again no later than `deadline`.
package protocol Machine<Input, Output> {
    associatedtype Input
    associatedtype Output

    /// Takes one event. Never blocks, never reads a clock: `now` is the only time there is.
    mutating func handle(_ input: consuming Input, now: NIODeadline)
    /// The next action, in order; nil when there is none.
    mutating func poll() -> Output?
    /// When `handle` wants to be called with its tick again; `.distantFuture` when it waits for nothing.
    var deadline: NIODeadline { get }
}
