// swift-tools-version: 6.2
import PackageDescription

/// A package of its own, so that nobody who builds swift-peer builds its fuzzers.
///
/// The rooms are linked into it by name and compiled here once more, with coverage for libFuzzer: as one package, so
/// that `package` declarations are seen, and optimised, so that a minute counts.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .unsafeFlags(["-sanitize=fuzzer", "-O", "-enforce-exclusivity=checked"]),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let ordered = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let shared: [Target.Dependency] = [nioCore, crypto, deque, ordered]

let package = Package(
    name: "Fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    ],
    targets: [
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CUsrsctp", providers: [.apt(["libusrsctp-dev"])]),
        .systemLibrary(name: "CFuzzer"),
        .target(name: "Cryptography", dependencies: ["COpenSSL", nioCore], swiftSettings: settings),
        .target(name: "Wire", dependencies: ["Cryptography", nioCore, crypto], swiftSettings: settings),
        .target(name: "Channels", dependencies: ["Wire", "Cryptography"] + shared, swiftSettings: settings),
        .target(name: "ICE", dependencies: ["Wire", "Cryptography"] + shared, swiftSettings: settings),
        .target(name: "WebRTC", dependencies: ["Wire", "ICE"] + shared, swiftSettings: settings),
        .target(
            name: "Engines", dependencies: ["Wire", "WebRTC", "Cryptography", "COpenSSL", "CUsrsctp"] + shared,
            swiftSettings: settings),
        .target(name: "GossipSub", dependencies: ["Wire"] + shared, swiftSettings: settings),
        .target(
            name: "Node", dependencies: ["Wire", "Channels", "ICE", "WebRTC", "GossipSub"] + shared,
            swiftSettings: settings),
        .executableTarget(
            name: "Fuzz",
            dependencies: ["CFuzzer", "Wire", "Channels", "ICE", "WebRTC", "Engines", "GossipSub", "Node", nioCore],
            swiftSettings: settings,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
    ]
)
