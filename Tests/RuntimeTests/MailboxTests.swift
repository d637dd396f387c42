import Glibc
import Node
import Runtime
import Testing
import Wire

/// The one way from the network to its reader.
@Suite struct MailboxTests {
    private let author = KeyPair.generate().peerID

    private func message(_ number: UInt64) -> PeerEvent {
        .message(
            TopicMessage(
                topic: "room", id: [], author: author, sequenceNumber: number, data: [], receivedFrom: author))
    }

    private func numbers(_ events: [PeerEvent]) -> [UInt64] {
        events.compactMap { if case .message(let message) = $0 { message.sequenceNumber } else { nil } }
    }

    private func count(_ events: [PeerEvent], where fits: (PeerEvent) -> Bool) -> Int { events.count(where: fits) }

    private func isReadable(_ descriptor: CInt) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, 0) == 1
    }

    @Test func eventsComeOutInTheOrderTheyWentIn() throws {
        let mailbox = try Mailbox(capacity: 8)
        for number in 1...5 { mailbox.post(message(UInt64(number))) }
        #expect(numbers(mailbox.drain()) == [1, 2, 3, 4, 5])
        #expect(mailbox.drain().isEmpty)
    }

    @Test func theDescriptorIsReadableExactlyWhileEventsWait() throws {
        let mailbox = try Mailbox()
        #expect(!isReadable(mailbox.wakeDescriptor))
        mailbox.post(.log(.info, "one"))
        mailbox.post(.log(.info, "two"))
        #expect(isReadable(mailbox.wakeDescriptor))
        #expect(mailbox.drain().count == 2)
        #expect(!isReadable(mailbox.wakeDescriptor))
        mailbox.post(.log(.info, "three"))
        #expect(isReadable(mailbox.wakeDescriptor))
    }

    @Test func aFullMailboxGivesUpWhatASnapshotBringsBackAndSaysSoOnce() throws {
        let mailbox = try Mailbox(capacity: 4)
        mailbox.post(message(1))
        for _ in 1...20 { mailbox.post(.addresses([])) }
        mailbox.post(message(2))
        let events = mailbox.drain()
        #expect(numbers(events) == [1, 2])
        #expect(count(events) { if case .resync = $0 { true } else { false } } == 1)
        #expect(count(events) { if case .addresses = $0 { true } else { false } } == 0)
    }

    @Test func messagesBeyondTheCapacityAreCountedNotSilentlyGone() throws {
        let mailbox = try Mailbox(capacity: 4)
        for number in 1...10 { mailbox.post(message(UInt64(number))) }
        let events = mailbox.drain()
        #expect(numbers(events) == [1, 2, 3, 4])
        let told = count(events) { event in
            if case .log(.warning, let text) = event { text.contains("6 messages") } else { false }
        }
        #expect(told == 1)
    }

    @Test func afterAResyncEventsFlowAgain() throws {
        let mailbox = try Mailbox(capacity: 2)
        for _ in 1...5 { mailbox.post(.addresses([])) }
        _ = mailbox.drain()
        mailbox.post(.addresses([]))
        #expect(mailbox.drain().count == 1)
    }
}
