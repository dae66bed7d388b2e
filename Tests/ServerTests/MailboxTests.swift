import Dispatch
import HTTP
import Testing

@testable import Server

@Suite("A mailbox")
struct MailboxTests {
    @Test("wakes its worker's poller, gives every letter once, and then is quiet")
    func letters() throws {
        let mailbox = try WorkerMailbox()
        var poller = try Poller()
        try poller.add(mailbox.fileDescriptor, .read, token: 5)
        #expect(poller.wait(milliseconds: 0) == 0)
        mailbox.post(.drain)
        mailbox.post(.responseReady(Response(.ok), token: 9))
        mailbox.post(.abort)
        #expect(poller.wait(milliseconds: 0) == 1)
        #expect(poller.userData(0) == 5)
        let letters = mailbox.takeAll()
        #expect(letters.count == 3)
        guard case .drain = letters[0], case .responseReady(_, token: 9) = letters[1],
            case .abort = letters[2]
        else {
            Issue.record("another order: \(letters)")
            return
        }
        #expect(poller.wait(milliseconds: 0) == 0)
        #expect(mailbox.takeAll().isEmpty)
    }

    @Test("loses no letter and no wake-up, however many threads post")
    func threads() throws {
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
