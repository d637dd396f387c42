import Glibc
import NIOCore
import NIOPosix
import Wire

/// Runs the echo server and its page until a signal asks to leave, and prints what happens.
struct EchoRun {
    /// On its way from the event loop to the main thread.
    enum Report: Sendable {
        case ready([String], page: String?)
        case failed(Failure)
        case event(EchoSessions.Event)
        case stopped
    }

    let listen: [Multiaddr]
    let http: (host: String, port: UInt16)?
    let json: Bool

    /// Returns once everybody was told goodbye.
    func run(_ identity: KeyPair) throws(Failure) -> ProcessStatus {
        let inbox = try Inbox<Report>()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let server = EchoServer(identity: identity, on: loop) { inbox.send(.event($0)) }
        Task { [listen, http] in
            do throws(Failure) {
                let addresses = try await server.start(listening: listen).map(\.description)
                var page: String?
                if let http {
                    let channel = try await EchoPage.serve(
                        host: http.host, port: http.port, addresses: addresses, on: loop)
                    let host = http.host.contains(":") ? "[\(http.host)]" : http.host
                    page = "http://\(host):\(channel.localAddress?.port ?? Int(http.port))/"
                }
                inbox.send(.ready(addresses, page: page))
            } catch { inbox.send(.failed(error)) }
        }
        var entries = [
            pollfd(fd: inbox.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: Signals.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            while poll(&entries, 2, -1) < 0 {}
            for report in inbox.drain() {
                switch report {
                case .failed(let failure): throw failure
                case .stopped: return .success
                case .ready, .event: show(report)
                }
            }
            guard entries[1].revents != 0, entries[1].fd >= 0 else { continue }
            entries[1].fd = -1
            Task {
                await server.stop()
                inbox.send(.stopped)
            }
        }
    }

    private func show(_ report: Report) {
        for line in json ? Self.json(report) : Self.text(report) { print(line) }
        // Seen at once, in a pipe too.
        fflush(nil)
    }

    /// What people read.
    static func text(_ report: Report) -> [String] {
        switch report {
        case .ready(let addresses, let page):
            addresses.map { "listening on \($0)" } + (page.map { ["the page is at \($0)"] } ?? [])
        case .event(.connected(let remote, let version)): ["\(remote) connected by webrtc-direct \(version)"]
        case .event(.opened(let remote, let label)): ["\(remote) opened the channel '\(label.printableLine)'"]
        case .event(.disconnected(let remote, let echoed, let refused)):
            ["\(remote) left: \(echoed) echoed, \(refused) refused"]
        case .failed, .stopped: []
        }
    }

    /// What scripts read.
    static func json(_ report: Report) -> [String] {
        var object: JSONObject
        switch report {
        case .ready(let addresses, let page):
            object = JSONObject(event: "ready")
            object.add("addresses", addresses)
            object.add("page", page)
        case .event(.connected(let remote, let version)):
            object = JSONObject(event: "connected")
            object.add("remote", remote.description)
            object.add("detail", version)
        case .event(.opened(let remote, let label)):
            object = JSONObject(event: "opened")
            object.add("remote", remote.description)
            object.add("label", label)
        case .event(.disconnected(let remote, let echoed, let refused)):
            object = JSONObject(event: "disconnected")
            object.add("remote", remote.description)
            object.add("echoed", echoed)
            object.add("refused", refused)
        case .failed, .stopped: return []
        }
        return [object.line]
    }
}
