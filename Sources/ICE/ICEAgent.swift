import DequeModule
package import NIOCore
package import Wire

package final class ICEAgent: Machine {
    package private(set) var statistics = ICEStatistics()

    package init(
        role: ICERole, local: ICECredentials, configuration: ICEConfiguration = ICEConfiguration(),
        entropy: Entropy
    ) {
        statistics.role = role
    }

    package var deadline: NIODeadline { .distantFuture }
    package func poll() -> ICEOutput? { nil }
    package func handle(_ input: consuming ICEInput, now: NIODeadline) {}
}
