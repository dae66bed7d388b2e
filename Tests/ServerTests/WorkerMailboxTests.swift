import Dispatch
import HTTP
import Testing

@testable import Server

struct WorkerMailboxTests {
    @Test func `a mailbox wakes its poller and delivers every message once`() throws {
        let mailbox = try WorkerMailbox()
        var poller = try Poller()
        try poller.add(mailbox.fileDescriptor, .read, token: 5)
        #expect(poller.wait(milliseconds: 0) == 0)
        mailbox.post(.drain)
        mailbox.post(.responseReady(Response(.ok), token: 9))
        mailbox.post(.abort)
        #expect(poller.wait(milliseconds: 0) == 1)
        #expect(poller.userData(0) == 5)
        let messages = mailbox.takeAll()
        #expect(messages.count == 3)
        guard case .drain = messages[0], case .responseReady(_, token: 9) = messages[1],
            case .abort = messages[2]
        else {
            Issue.record("wrong order: \(messages)")
            return
        }
        #expect(poller.wait(milliseconds: 0) == 0)
        #expect(mailbox.takeAll().isEmpty)
    }

    @Test func `a mailbox loses no message and no wake-up with many posting threads`() throws {
        let mailbox = try WorkerMailbox()
        var poller = try Poller()
        try poller.add(mailbox.fileDescriptor, .read, token: 0)
        for number in 0..<4 {
            DispatchQueue(label: "post \(number)").async {
                for _ in 0..<1000 { mailbox.post(.drain) }
            }
        }
        var count = 0
        while count < 4000 {
            guard poller.wait(milliseconds: 20_000) == 1 else { break }
            count += mailbox.takeAll().count
        }
        #expect(count == 4000)
    }
}
