// swift-tools-version: 6.2
import PackageDescription

/// What every target is built with.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]
/// Rooms that never touch raw memory: the compiler holds them to it.
let core = settings + [.strictMemorySafety()]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let ordered = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "swift-peer",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "LibP2P", targets: ["Wire", "Node", "Runtime"]),
        .library(name: "WebRTC", targets: ["WebRTC", "Engines", "WebRTCRuntime"]),
        .executable(name: "swift-peer", targets: ["SwiftPeer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CUsrsctp", providers: [.apt(["libusrsctp-dev"])]),
        .systemLibrary(name: "CNcurses", providers: [.apt(["libncursesw5-dev"])]),
        .systemLibrary(name: "CMalloc"),

        .target(name: "Cryptography", dependencies: ["COpenSSL", nioCore], swiftSettings: settings),
        .target(name: "Wire", dependencies: ["Cryptography", nioCore, crypto], swiftSettings: core),
        .target(name: "Channels", dependencies: ["Wire", "Cryptography", nioCore, crypto, deque], swiftSettings: core),
        .target(
            name: "ICE", dependencies: ["Wire", "Cryptography", nioCore, crypto, deque, ordered], swiftSettings: core),
        .target(name: "WebRTC", dependencies: ["Wire", "ICE", nioCore, deque, ordered], swiftSettings: core),
        .target(name: "PlainEngines", dependencies: ["Wire", "WebRTC", nioCore, deque, ordered], swiftSettings: core),
        .target(
            name: "Engines",
            dependencies: ["Wire", "WebRTC", "Cryptography", "COpenSSL", "CUsrsctp", nioCore, crypto, deque],
            swiftSettings: settings),
        .target(
            name: "WebRTCRuntime", dependencies: ["Wire", "ICE", "WebRTC", "Engines", nioCore, nioPosix, deque],
            swiftSettings: settings),
        .target(name: "GossipSub", dependencies: ["Wire", nioCore, crypto, deque, ordered], swiftSettings: core),
        .target(
            name: "Node",
            dependencies: ["Wire", "Channels", "ICE", "WebRTC", "GossipSub", nioCore, crypto, deque, ordered],
            swiftSettings: core),
        .target(
            name: "Runtime",
            dependencies: [
                "Wire", "ICE", "Node", "WebRTC", "Engines", "WebRTCRuntime", nioCore, nioPosix, nioHTTP1, nioSSL,
                nioWebSocket, deque,
            ],
            swiftSettings: settings),
        .target(
            name: "Simulator", dependencies: ["Wire", "ICE", "Node", "PlainEngines", nioCore, heap], swiftSettings: core
        ),
        .target(name: "Chat", dependencies: ["Wire", deque, ordered], swiftSettings: core),
        .target(name: "Screen", dependencies: ["Chat", "Wire"], swiftSettings: core),
        .target(name: "Terminal", dependencies: ["CNcurses", "Screen"], swiftSettings: settings),
        .executableTarget(
            name: "SwiftPeer",
            dependencies: [
                "CMalloc", "Wire", "ICE", "WebRTC", "Engines", "WebRTCRuntime", "Node", "Runtime", "Chat", "Screen",
                "Terminal", nioCore, nioPosix, nioHTTP1, arguments, logging, deque, ordered,
            ],
            resources: [.embedInCode("Echo/echo.html")],
            swiftSettings: settings),

        .testTarget(
            name: "WireTests", dependencies: ["Wire", "Cryptography", nioCore, crypto],
            resources: [.copy("Vectors")], swiftSettings: settings),
        // Reads the vectors of every room's tests.
        .target(
            name: "VectorFiles", dependencies: [nioCore], path: "Tests/VectorFiles", swiftSettings: settings),
        // What every kind of stream session is tested by.
        .target(
            name: "StreamConformance", dependencies: ["Channels", "Wire", nioCore], path: "Tests/StreamConformance",
            swiftSettings: settings),
        .testTarget(
            name: "ChannelsTests",
            dependencies: ["Channels", "StreamConformance", "VectorFiles", "Wire", "Cryptography", nioCore, crypto],
            resources: [.copy("Vectors")], swiftSettings: settings),
        .testTarget(
            name: "ICETests", dependencies: ["ICE", "VectorFiles", "Wire", nioCore, crypto, ordered],
            resources: [.copy("Vectors")], swiftSettings: settings),
        .testTarget(
            name: "WebRTCTests", dependencies: ["WebRTC", "PlainEngines", "VectorFiles", "ICE", "Wire", nioCore],
            resources: [.copy("Vectors")], swiftSettings: settings),
        .testTarget(
            name: "PlainEnginesTests", dependencies: ["PlainEngines", "WebRTC", "Wire", nioCore],
            swiftSettings: settings),
        .testTarget(
            name: "EnginesTests",
            dependencies: ["Engines", "VectorFiles", "WebRTC", "ICE", "Wire", "Cryptography", nioCore, crypto],
            resources: [.copy("Vectors")], swiftSettings: settings,
            // The tests of SCTP stand before the system's clock: see their SystemTime.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--export-dynamic-symbol=gettimeofday"])]),
        .testTarget(
            name: "WebRTCRuntimeTests",
            dependencies: ["WebRTCRuntime", "Engines", "WebRTC", "ICE", "Wire", nioCore, nioPosix],
            swiftSettings: settings),
        .testTarget(
            name: "GossipSubTests", dependencies: ["GossipSub", "Wire", nioCore, crypto, ordered],
            resources: [.copy("Vectors")], swiftSettings: settings),
        .testTarget(
            name: "NodeTests",
            dependencies: [
                "Node", "Channels", "StreamConformance", "VectorFiles", "GossipSub", "ICE", "WebRTC", "PlainEngines",
                "Wire", nioCore, crypto,
            ],
            resources: [.copy("Vectors")], swiftSettings: settings),
        .testTarget(name: "ChatTests", dependencies: ["Chat", "Wire"], swiftSettings: settings),
        .testTarget(name: "ScreenTests", dependencies: ["Screen", "Chat", "Wire"], swiftSettings: settings),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "Simulator", "Node", "GossipSub", "WebRTC", "ICE", "PlainEngines", "Wire", nioCore, ordered,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RuntimeTests",
            dependencies: ["Runtime", "Node", "Wire", nioCore, nioPosix, nioEmbedded, nioHTTP1, nioSSL, nioWebSocket],
            swiftSettings: settings),
        .testTarget(
            name: "SwiftPeerTests",
            dependencies: [
                "SwiftPeer", "WebRTCRuntime", "Engines", "WebRTC", "ICE", "Wire", "Node", "Chat", "Screen", "Simulator",
                arguments, logging, nioCore, nioPosix, nioHTTP1,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "InteropTests",
            dependencies: ["Runtime", "Node", "WebRTCRuntime", "WebRTC", "Wire", nioCore, crypto],
            resources: [.copy("Peers")], swiftSettings: settings),
        .testTarget(name: "TidyTests", swiftSettings: settings),
    ]
)
