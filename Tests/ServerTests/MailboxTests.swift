import Dispatch
import HTTP
import Testing

@testable import Server

@Suite("A mailbox")
struct MailboxTests {
    @Test("wakes its worker's poller, gives every letter once, and then is quiet")
    func letters() throws {
        let mailbox = try Mailbox()
        var poller = try Poller()
        try poller.add(mailbox.number, .read, token: 5)
        #expect(poller.wait(milliseconds: 0) == 0)
        mailbox.post(.stop)
        mailbox.post(.response(Response(.ok), token: 9))
        mailbox.post(.abandon)
        #expect(poller.wait(milliseconds: 0) == 1)
        #expect(poller.token(0) == 5)
        let letters = mailbox.takeAll()
        #expect(letters.count == 3)
        guard case .stop = letters[0], case .response(_, token: 9) = letters[1],
            case .abandon = letters[2]
        else {
            Issue.record("another order: \(letters)")
            return
        }
        #expect(poller.wait(milliseconds: 0) == 0)
        #expect(mailbox.takeAll().isEmpty)
    }

    @Test("loses no letter and no wake-up, however many threads post")
    func threads() throws {
        let mailbox = try Mailbox()
        var poller = try Poller()
        try poller.add(mailbox.number, .read, token: 0)
        for number in 0..<4 {
            DispatchQueue(label: "post \(number)").async {
                for _ in 0..<1000 { mailbox.post(.stop) }
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
