import POSIX
import Testing

@testable import App

struct WatchdogTests {
    /// The callbacks of checks that have not been answered, and the number of messages sent.
    private struct Record: Sendable {
        var unanswered: [@Sendable () -> Void] = []
        var messages = 0
    }

    @Test func `one message is sent for each answered check, and one check runs at a time`() throws
    {
        let record = Monitor(Record())
        let watchdog = Watchdog(
            checkLiveness: { answered in record.withLock { $0.unanswered.append(answered) } },
            notify: { record.withLock { $0.messages += 1 } })
        watchdog.tick()
        // The first check is not answered: no message, and no second check.
        for _ in 0..<10 { watchdog.tick() }
        #expect(record.withLock { $0.unanswered.count } == 1)
        #expect(record.withLock { $0.messages } == 0)
        for round in 1...3 {
            record.withLock { $0.unanswered.removeLast() }()
            #expect(record.withLock { $0.messages } == round)
            watchdog.tick()
            #expect(record.withLock { $0.unanswered.count } == 1)
        }
    }
}
