/// The rooms of the house and what each may import: arrows go one way.
enum Rooms {
    /// A room missing here may not exist.
    static let mayImport: [String: Set<String>] = [
        "Cryptography": ["COpenSSL", "NIOCore"],
        "Wire": ["Cryptography", "NIOCore", "Crypto"],
        "Channels": ["Wire", "Cryptography", "NIOCore", "Crypto", "DequeModule"],
        "GossipSub": ["Wire", "NIOCore", "Crypto", "DequeModule", "OrderedCollections"],
        "Node": ["Wire", "Channels", "GossipSub", "NIOCore", "Crypto", "DequeModule", "OrderedCollections"],
        "Runtime": [
            "Wire", "Node", "NIOCore", "NIOPosix", "DequeModule", "Synchronization", "Glibc", "Musl", "Darwin",
        ],
        "Simulator": ["Wire", "Node", "NIOCore", "DequeModule", "HeapModule"],
        "Chat": ["Wire", "DequeModule", "OrderedCollections"],
        "Screen": ["Chat", "Wire"],
        "Terminal": ["CNcurses", "Screen", "Synchronization", "Glibc", "Musl", "Darwin"],
        "SwiftPeer": [
            "CMalloc",
            "Wire", "Node", "Runtime", "Chat", "Screen", "Terminal", "NIOCore", "NIOPosix", "ArgumentParser", "Logging",
            "DequeModule", "Foundation", "Synchronization", "Glibc", "Musl", "Darwin",
        ],
        "COpenSSL": [], "CNcurses": [], "CMalloc": [],
    ]

    /// Rooms that are machines without IO: bytes, events and the time go in, actions come out.
    static let cores: Set<String> = [
        "Wire", "Cryptography", "Channels", "GossipSub", "Node", "Simulator", "Chat", "Screen",
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
