import POSIX
import Testing

@testable import App

@Suite("A watchdog")
struct WatchdogTests {
    /// Questions that wait for an answer, and signs of life that were given.
    private struct Record: Sendable {
        var questions: [@Sendable () -> Void] = []
        var signs = 0
    }

    @Test("gives one sign of life for each question that was answered, and asks one at a time")
    func evidence() throws {
        let record = Monitor(Record())
        let watchdog = Watchdog(
            ping: { answered in record.withLock { $0.questions.append(answered) } },
            tell: { record.withLock { $0.signs += 1 } })
        watchdog.tick()
        // Nobody has answered: no sign, and no second question.
        for _ in 0..<10 { watchdog.tick() }
        #expect(record.withLock { $0.questions.count } == 1)
        #expect(record.withLock { $0.signs } == 0)
        for round in 1...3 {
            record.withLock { $0.questions.removeLast() }()
            #expect(record.withLock { $0.signs } == round)
            watchdog.tick()
            #expect(record.withLock { $0.questions.count } == 1)
        }
    }
}
