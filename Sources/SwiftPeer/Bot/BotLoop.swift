import Glibc
import Logging
import NIOCore
import Node
import Runtime
import Wire

/// The bot's loop on the main thread: stdin, stdout, the mailbox, answers and signals in one `poll(2)`.
///
/// A slow reader of stdout stops it from taking events, never the network: the mailbox then drops what a snapshot can
/// bring back.
struct BotLoop {
    private let driver: NodeDriver
    private let logger: Logger
    private let listen: ListenPlan
    private let rooms: [String]
    private var session: BotSession
    private var splitter = LineSplitter()
    private var output = OutputQueue(descriptor: STDOUT_FILENO)
    private var inputIsOpen = true
    private var wasSignalled = false
    private var leaving: (status: ProcessStatus, deadline: NIODeadline)?
    private var hasLeft = false

    /// A bot as the settings want it; nothing runs yet.
    init(_ settings: Settings, identity: borrowing IdentityFile, logger: Logger) throws(Failure) {
        let me = identity.keyPair.peerID
        driver = try NodeDriver(settings, identity: identity.keyPair)
        listen = ListenPlan(settings)
        rooms = settings.rooms
        session = BotSession(
            me: me, nick: settings.nick ?? Nick.standard(for: me), rooms: settings.rooms, json: settings.json,
            exitsAtEnd: settings.exitOnEOF, showsLog: settings.logLevel <= .debug, isRelay: settings.mode == .relay)
        inputIsOpen = settings.mode != .relay
        self.logger = logger
    }

    /// Runs until the user, the end of the input or a signal ends it.
    mutating func run() throws(Failure) -> ProcessStatus {
        if let notice = listen.notice { StandardError.write(notice) }
        driver.start(listening: listen.addresses, rooms: rooms)
        while true {
            try turn()
            guard let leaving else { continue }
            if (hasLeft && output.isEmpty) || output.isBroken || NIODeadline.now() >= leaving.deadline {
                return leaving.status
            }
        }
    }

    private mutating func turn() throws(Failure) {
        let readsInput = inputIsOpen && session.isHungry && !output.isFull && leaving == nil
        let readsEvents = session.takesEvents && !output.isFull && leaving == nil
        var entries = [
            pollfd(fd: wasSignalled ? -1 : Signals.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: driver.inbox.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: readsEvents ? driver.peer.mailbox.wakeDescriptor : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: readsInput ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: output.isEmpty ? -1 : STDOUT_FILENO, events: Int16(POLLOUT), revents: 0),
        ]
        let deadline = min(session.deadline, leaving?.deadline ?? .distantFuture)
        _ = poll(&entries, nfds_t(entries.count), Self.timeout(until: deadline))
        if entries[0].revents != 0 {
            wasSignalled = true
            handle(.leave)
        }
        if entries[1].revents != 0 { for report in driver.inbox.drain() { try take(report) } }
        if entries[2].revents != 0 { for event in driver.peer.mailbox.drain() { handle(.event(event)) } }
        if entries[3].revents != 0 { read() }
        if NIODeadline.now() >= session.deadline { handle(.tick) }
        output.flush()
        if output.isBroken && leaving == nil {
            leave(.io)
            StandardError.write("nobody reads standard output any more")
        }
    }

    private static func timeout(until deadline: NIODeadline) -> Int32 {
        guard deadline != .distantFuture else { return -1 }
        let wait = (deadline - .now()).nanoseconds
        // One more, because a deadline between two milliseconds has not passed at the first.
        return wait <= 0 ? 0 : Int32(clamping: wait / 1_000_000 + 1)
    }

    private mutating func take(_ report: NodeDriver.Report) throws(Failure) {
        switch report {
        case .started(let addresses): handle(.started(addresses))
        case .failed(let failure): throw failure
        case .answer(let answer): handle(.answer(answer))
        case .finished: hasLeft = true
        }
    }

    private mutating func read() {
        var result = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
            result = Glibc.read(STDIN_FILENO, buffer.baseAddress, buffer.count)
            count = max(0, result)
        }
        if result < 0 && (errno == EINTR || errno == EAGAIN) { return }
        for line in splitter.received(bytes) { handle(.line(line)) }
        guard result <= 0 else { return }
        inputIsOpen = false
        if let line = splitter.closed() { handle(.line(line)) }
        handle(.endOfInput)
    }

    private mutating func handle(_ input: BotSession.Input) {
        session.handle(input, now: .now(), at: .now)
        while let next = session.poll() {
            switch next {
            case .print(let lines): for line in lines { output.append(line) }
            case .request(let request): driver.ask(request)
            case .log(let level, let text): logger.log(level: level.loggerLevel, "\(text)")
            case .finish(let status): leave(status)
            }
        }
    }

    private mutating func leave(_ status: ProcessStatus) {
        guard leaving == nil else { return }
        leaving = (status, .now() + Limits.leaveTimeout)
        driver.shutdown()
    }
}
