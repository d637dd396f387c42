import NIOCore

/// Where a machine's randomness comes from: the system, or a seed that makes a run repeatable.
///
/// Machines hold one as a value. Only the simulator may make a seeded one (a tidy test holds it to that): nothing
/// that protects a secret may ever come from a seed outside a test.
package struct Entropy: RandomNumberGenerator, Sendable {
    private enum Source: Sendable {
        case system
        case seeded(SplitMix64)
    }
    private var source: Source

    /// The operating system's generator.
    package static var system: Entropy { Entropy(source: .system) }

    /// A repeatable generator: same seed, same numbers.
    package static func seeded(_ seed: UInt64) -> Entropy { Entropy(source: .seeded(SplitMix64(seed: seed))) }

    package mutating func next() -> UInt64 {
        switch source {
        case .system:
            var system = SystemRandomNumberGenerator()
            return system.next()
        case .seeded(var generator):
            let value = generator.next()
            source = .seeded(generator)
            return value
        }
    }

    /// `count` random bytes.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count + 7)
        while result.count < count {
            let word = next()
            for shift in stride(from: 0, to: 64, by: 8) { result.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        result.removeLast(result.count - count)
        return result
    }

    /// An independent generator for a part: seeded from this one when this one is seeded.
    package mutating func split() -> Entropy {
        switch source {
        case .system: .system
        case .seeded: .seeded(next())
        }
    }
}

/// Steele, Lea and Flood's SplitMix64: small, fast, and good enough to drive a simulation.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64
    package init(seed: UInt64) { state = seed }
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
