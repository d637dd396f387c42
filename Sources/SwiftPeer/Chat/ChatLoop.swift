import Chat
import Glibc
import Logging
import NIOCore
import Node
import Runtime
import Screen
import Terminal
import Wire

/// The chat: the terminal's loop on the main thread, the peer on its own.
final class ChatLoop {
    private let driver: NodeDriver
    private let wake: MergedWake
    private let listen: ListenPlan
    private let settings: Settings
    private var screen: ChatScreen
    private var isLeaving = false
    private let logger: Logger?
    private var notices: [String]
    private var failure: Failure?

    /// A chat as the settings want it; nothing runs yet. `logger` is nil when only the system pane shows the log.
    init(_ settings: Settings, identity: borrowing IdentityFile, logger: Logger?) throws(Failure) {
        let me = identity.keyPair.peerID
        self.settings = settings
        self.logger = logger
        driver = try NodeDriver(settings, identity: identity.keyPair)
        wake = try MergedWake([
            driver.peer.mailbox.wakeDescriptor, driver.inbox.descriptor, Signals.descriptor,
        ])
        listen = ListenPlan(settings)
        screen = ChatScreen(
            ChatState(
                me: me, nick: settings.nick ?? Nick.standard(for: me), rooms: settings.rooms,
                looksAround: settings.mdns))
        notices = settings.notices + [identity.notice, listen.notice].compactMap(\.self)
    }

    /// Shows the chat until the user or a signal ends it. The screen is there before the peer is.
    func run() throws(Failure) -> ProcessStatus {
        driver.start(listening: listen.addresses, rooms: settings.rooms)
        driver.watchConnections()
        do throws(TerminalApp.Refusal) {
            try TerminalApp.run(
                wakeFD: wake.descriptor,
                wake: { takeNews() },
                key: { key, size, time in
                    perform(screen.handle(key, size, time: time))
                    return !isLeaving
                },
                frame: { size, time, utcOffset in screen.frame(size, time: time, utcOffset: utcOffset) })
        } catch {
            failure = failure ?? Failure(.unavailable, error.description)
        }
        leave()
        if let failure { throw failure }
        return .success
    }

    /// Takes in what happened since the last call, in order; false when it is time to go.
    private func takeNews() -> Bool {
        let time = WallClock.now
        perform(screen.apply(news(at: time)))
        // What comes from now on wakes the loop again.
        wake.rearm()
        return !isLeaving && !Signals.wasReceived
    }

    private func news(at time: WallClock) -> [ChatAction] {
        var actions = notices.map { ChatAction.notice($0, time: time.milliseconds) }
        notices = []
        for report in driver.inbox.drain() {
            switch report {
            case .started(let addresses): actions.append(.ready(addresses: addresses.map(\.description)))
            case .failed(let failure):
                self.failure = failure
                isLeaving = true
            case .answer(let answer): if let action = ChatBridge.action(answer, at: time) { actions.append(action) }
            case .finished: isLeaving = true
            }
        }
        for event in driver.peer.mailbox.drain() {
            if case .log(let level, let text) = event { logger?.log(level: level.loggerLevel, "\(text)") }
            if case .resync = event { driver.ask(NodeRequest(action: .resync)) }
            if let action = ChatBridge.action(event, at: time) { actions.append(action) }
        }
        return actions
    }

    private func perform(_ effects: [ChatEffect]) {
        for effect in effects {
            if let request = ChatBridge.request(effect) { driver.ask(request) } else { isLeaving = true }
        }
    }

    /// Says goodbye to the peers, at most as long as leaving may take. The terminal is the shell's again already.
    private func leave() {
        driver.shutdown()
        let deadline = WallClock.now.milliseconds + Limits.leaveTimeout.nanoseconds / 1_000_000
        while true {
            let wait = deadline - WallClock.now.milliseconds
            guard wait > 0 else { return }
            var entry = pollfd(fd: driver.inbox.descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Int32(clamping: wait)) > 0 else { continue }
            for case .finished in driver.inbox.drain() { return }
        }
    }
}
