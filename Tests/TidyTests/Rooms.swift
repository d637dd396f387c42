/// The rooms of the house and what each may import: arrows go one way.
enum Rooms {
    /// A room missing here may not exist.
    static let mayImport: [String: Set<String>] = [
        "Cryptography": ["COpenSSL", "NIOCore"],
        "Wire": ["Cryptography", "NIOCore", "Crypto"],
        "Channels": ["Wire", "Cryptography", "NIOCore", "Crypto", "DequeModule"],
        "GossipSub": ["Wire", "NIOCore", "Crypto", "DequeModule", "OrderedCollections"],
        "ICE": ["Wire", "Cryptography", "NIOCore", "Crypto", "DequeModule", "OrderedCollections"],
        "WebRTC": ["Wire", "ICE", "NIOCore", "DequeModule", "OrderedCollections"],
        "PlainEngines": ["Wire", "WebRTC", "NIOCore", "DequeModule", "OrderedCollections"],
        "Engines": [
            "Wire", "WebRTC", "Cryptography", "COpenSSL", "CUsrsctp", "NIOCore", "Crypto", "DequeModule",
            "Synchronization", "Glibc", "Musl", "Darwin",
        ],
        "WebRTCRuntime": [
            "Wire", "ICE", "WebRTC", "Engines", "NIOCore", "NIOPosix", "DequeModule", "Synchronization", "Glibc",
            "Musl", "Darwin",
        ],
        "Node": [
            "Wire", "Channels", "ICE", "WebRTC", "GossipSub", "NIOCore", "Crypto", "DequeModule", "OrderedCollections",
        ],
        "Runtime": [
            "Wire", "ICE", "Node", "WebRTC", "Engines", "WebRTCRuntime", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL",
            "NIOWebSocket",
            "DequeModule", "Synchronization", "Glibc", "Musl", "Darwin",
        ],
        "Simulator": ["Wire", "ICE", "Node", "PlainEngines", "NIOCore", "DequeModule", "HeapModule"],
        "Chat": ["Wire", "DequeModule", "OrderedCollections"],
        "Screen": ["Chat", "Wire"],
        "Terminal": ["CNcurses", "Screen", "Synchronization", "Glibc", "Musl", "Darwin"],
        "SwiftPeer": [
            "CMalloc",
            "Wire", "ICE", "WebRTC", "Engines", "WebRTCRuntime", "Node", "Runtime", "Chat", "Screen", "Terminal",
            "NIOCore", "NIOPosix", "NIOHTTP1", "ArgumentParser", "Logging", "DequeModule", "OrderedCollections",
            "Foundation", "Synchronization", "Glibc", "Musl", "Darwin",
        ],
        "COpenSSL": [], "CUsrsctp": [], "CNcurses": [], "CMalloc": [],
    ]

    /// Rooms that are machines without IO: bytes, events and the time go in, actions come out.
    static let cores: Set<String> = [
        "Wire", "Cryptography", "Channels", "ICE", "WebRTC", "PlainEngines", "GossipSub", "Node", "Simulator", "Chat",
        "Screen",
    ]

    /// The modules that `code` imports, each with its line.
    static func imports(in code: String) -> [(module: String, line: Int)] {
        var found: [(module: String, line: Int)] = []
        for (number, line) in code.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var words = line.split(whereSeparator: { $0 == " " || $0 == "." }).map(String.init)
            while let first = words.first,
                first.hasPrefix("@") || ["public", "package", "internal", "fileprivate", "private"].contains(first)
            {
                words.removeFirst()
            }
            guard words.first == "import", words.count > 1 else { continue }
            let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            let module = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
            found.append((module, number + 1))
        }
        return found
    }
}
