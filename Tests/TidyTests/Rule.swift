import Testing

/// Something that must not stand in some of the project's files, as a pattern.
///
/// Patterns are split (`[T]ask`) where they would find themselves.
struct Rule: Sendable, CustomTestStringConvertible {
    /// Which files a rule reads.
    enum Scope: Sendable { case cores, sources, sourcesButProgram, tests, everything, written }

    /// What the rule says.
    let name: String
    let scope: Scope
    /// What must not be found.
    let pattern: String
    /// Look at comments and strings as well.
    var inComments = false
    /// Files that may, each for the reason that stands beside it.
    var except: [String] = []
    /// Code that the rule must find.
    let caught: [String]
    /// Code that the rule must leave alone.
    let passed: [String]

    var testDescription: String { name }

    func applies(to file: SourceFile) -> Bool {
        guard !except.contains(where: { file.path.hasPrefix($0) }) else { return false }
        switch scope {
        case .cores: return file.isSource && Rooms.cores.contains(file.room)
        case .sources: return file.isSource
        case .sourcesButProgram: return file.isSource && file.room != "SwiftPeer"
        case .tests: return file.isTest
        case .everything, .written: return true
        }
    }

    /// `path:line: text` of everything in `file` that the rule forbids.
    func violations(in file: SourceFile) throws -> [String] {
        guard applies(to: file) else { return [] }
        return try file.places(of: pattern, in: inComments ? file.text : file.code)
    }
}

extension Rule {
    static let all = cores + product + tests + prose

    /// What a machine without IO cannot have.
    static let cores: [Rule] = [
        Rule(
            name: "Cores read no clock", scope: .cores,
            pattern: #"ContinuousClock|SuspendingClock|\bDate\b|\.now\(\)|clock_gettime|gettimeofday|DispatchTime"#,
            caught: ["let t = NIODeadline.now()", "let clock = ContinuousClock()", "Date()"],
            passed: ["func handle(_ input: Input, now: NIODeadline)", "deadline = now + .seconds(1)", "var update = 1"]),
        Rule(
            name: "Cores take randomness as an argument", scope: .cores,
            pattern:
                #"SystemRandomNumberGenerator|\.random\((?![^()]*(\([^()]*\)[^()]*)*using:)|arc4random|\bUUID\(|\.shuffled\(\)|\.shuffle\(\)"#
                + #"|\.randomElement\(\)|SymmetricKey\(size|PrivateKey\(\)"#,
            // Entropy is where a system's randomness enters; an identity is made before any core starts; a Noise key has a
            // second way that is never taken.
            except: [
                "Sources/Wire/Entropy.swift", "Sources/Wire/KeyPair.swift", "Sources/Channels/Noise/NoiseKeys.swift",
            ],
            caught: ["Int.random(in: 0..<3)", "peers.shuffled()", "Curve25519.KeyAgreement.PrivateKey()"],
            passed: [
                "peers.shuffled(using: &entropy)", "x.random(in: 0..<f(3), using: &entropy)",
                "PrivateKey(rawRepresentation: entropy.bytes(32))",
            ]),
        Rule(
            name: "Cores are synchronous", scope: .cores,
            pattern: #"\basync\b|\bawait\b|\bTask\b\s*[({.<]|\bactor\s+\w|AsyncStream|Continuation\b"#,
            caught: ["func f() async {", "await x", "Task { }", "Task.detached { }", "actor Peer {"],
            passed: ["let asynchronous = 1", "struct TaskList {}"]),
        Rule(
            name: "Cores take no locks", scope: .cores,
            pattern: #"\bMutex\b|\bNIOLock|NSLock|pthread_|\bAtomic\b|ManagedAtomic|UnsafeAtomic"#,
            caught: ["let m = Mutex(0)", "NIOLockedValueBox(1)"], passed: ["let mute = 1"]),
        Rule(
            name: "Cores print nothing", scope: .cores,
            pattern: #"\b(debugP|p)rint\(|\bdump\(|\bfputs\(|FileHandle"#,
            caught: ["print(1)", "debugPrint(x)"], passed: ["fingerprint(1)", "blueprint(x)"]),
        Rule(
            name: "Only the simulator and tests make seeded entropy", scope: .sources,
            pattern: #"\.seeded\b"#,
            // Its own declaration; and the one room that may.
            except: ["Sources/Wire/Entropy.swift", "Sources/Simulator/"],
            caught: ["var e = Entropy.seeded(1)", "f(entropy: .seeded(7))"], passed: ["let seeded = true"]),
    ]

    /// What no part of the product has.
    static let product: [Rule] = [
        Rule(
            name: "Nothing is forced", scope: .sources,
            pattern: #"\btry!|\bas!|(?<=[\w)\]>])!(?![=])|\bunsafelyUnwrapped\b"#,
            caught: ["try! f()", "x as! Int", "a.first!", "f()!.x", "var x: Int!", "a[0]!"],
            passed: ["a != b", "if !x {", "try? f()", "guard !(a && b)"]),
        Rule(
            name: "Nothing ends the program but preconditionFailure", scope: .sources,
            pattern: #"\bfatalError\b|\bassertionFailure\b|\babort\(\)"#,
            caught: ["fatalError(x)"], passed: ["let fatalErrors = 1"]),
        Rule(
            name: "preconditionFailure says why no remote input can reach it", scope: .sources,
            pattern: #"preconditionFailure\((?!\s*#*")"#,
            caught: ["preconditionFailure()", "preconditionFailure(message)"],
            passed: ["preconditionFailure(\"why\")", "preconditionFailure(\n    \"why\")"]),
        Rule(
            name: "Nobody goes round the concurrency checker", scope: .sources,
            pattern: #"@unchecked\s+Sendable|nonisolated\(unsafe\)|unowned\(unsafe\)|unsafeBitCast"#,
            caught: ["class A: @unchecked Sendable {}", "nonisolated(unsafe) var x = 1"],
            passed: ["struct A: Sendable {}"]),
        Rule(
            name: "No queues of Dispatch and no semaphores", scope: .sources,
            pattern: #"Dispatch(Queue|Semaphore|Group|WorkItem)|\bsem_wait|NSCondition"#,
            caught: ["DispatchQueue.main.async {}", "DispatchSemaphore(value: 0)"], passed: ["let dispatched = 1"]),
        Rule(
            name: "Tasks start in the executable only", scope: .sourcesButProgram,
            pattern: #"\bTask\b(\.detached)?\s*(\([^)]*\)\s*)?\{"#,
            caught: ["Task { }", "Task.detached { }", "Task(priority: .low) {"],
            passed: ["try Task.checkCancellation()"]),
        Rule(
            name: "No type is a bag", scope: .everything,
            pattern: #"\b(struct|class|enum|actor|protocol|typealias|extension)\s+"#
                + #"(Base[A-Z]\w*|\w*(Utils?|Utility|Utilities|Manager|Helpers?|Base))\b"#,
            caught: ["struct PeerManager {", "enum Utils {", "class BaseStream {", "class StreamBase {"],
            passed: ["enum Base58 {", "enum Multibase {", "struct Manageable {"]),
    ]

    /// What tests do not do.
    static let tests: [Rule] = [
        Rule(
            name: "Tests do not sleep", scope: .tests,
            pattern: #"\b[T]ask\.sleep|\busleep\(|\bnanosleep\(|(?<![.\w])sleep\(|Thread\.sleep"#,
            // Other programs are waited for in real time there, and only there.
            except: ["Tests/InteropTests/"],
            caught: ["try await Task.sleep(for: .seconds(1))", "usleep(1)", "Thread.sleep(forTimeInterval: 1)"],
            passed: ["let asleep = 1", "peer.sleeps(1)"])
    ]

    /// What stands in no file a person wrote, comments included.
    static let prose: [Rule] = [
        Rule(
            name: "Nothing is left for later", scope: .written,
            pattern: #"\b(TO[D]O|FIX[M]E|X[X]X|HAC[K])\b"#, inComments: true,
            // The rule itself is explained there.
            except: ["CONTRIBUTING.md"],
            caught: ["// TO" + "DO: later"], passed: ["let todoist = 1"]),
        Rule(
            name: "No paths of somebody's machine", scope: .written,
            pattern: #"(?<![\w.])/(wor[k]|hom[e]|User[s]|roo[t])/"#, inComments: true,
            caught: ["let p = \"/wor" + "k/main\""], passed: ["Sources/work/x", "a/work/b"]),
    ]
}
