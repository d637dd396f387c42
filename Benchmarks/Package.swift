// swift-tools-version: 6.2
import PackageDescription

/// A package of its own, so that nobody who builds swift-peer builds its benchmarks.
let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "swift-peer", path: ".."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    ],
    targets: [
        .executableTarget(
            name: "BenchPeer",
            dependencies: [
                .product(name: "LibP2P", package: "swift-peer"), .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]),
        .executableTarget(
            name: "DataChannelBench",
            dependencies: [
                .product(name: "WebRTC", package: "swift-peer"), .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]),
    ]
)
