import POSIX
import TestSupport
import Testing

struct WriteTurnTests {
    private struct Lines {
        var waiting: [Int] = []
        var written: Set<Int> = []
    }

    @Test func `a thread returns after its part is written, by itself or by another leader`() {
        let turn = WriteTurn(Lines())
        let leaders = Monitor(0)
        let writes = Monitor(0)
        inThreads(8) { thread in
            for number in 0..<200 {
                let line = thread * 200 + number
                turn.withLock { $0.waiting.append(line) }
                let role = turn.wait(for: { $0.written.contains(line) ? true : nil }) { lines in
                    defer { lines.waiting = [] }
                    return lines.waiting
                }
                if case .leads(let batch) = role {
                    let count = leaders.withLock { count in
                        count += 1
                        return count
                    }
                    #expect(count == 1)
                    #expect(batch.contains(line))
                    writes.withLock { $0 += 1 }
                    leaders.withLock { $0 -= 1 }
                    turn.end { $0.written.formUnion(batch) }
                }
                let isWritten = turn.withLock { $0.written.contains(line) }
                #expect(isWritten)
            }
        }
        #expect((1...1600).contains(writes.withLock { $0 }))
    }

    @Test func `what is collected during a turn is written by the next leader, in one piece`() {
        let turn = WriteTurn(Lines())
        turn.take { _ in }
        for line in 0..<3 { turn.withLock { $0.waiting.append(line) } }
        turn.end { _ in }
        let role = turn.wait(for: { $0.written.contains(1) ? true : nil }, orLead: \.waiting)
        guard case .leads(let batch) = role else {
            Issue.record("no leader")
            return
        }
        #expect(batch == [0, 1, 2])
        turn.end { $0.written.formUnion(batch) }
        let second = turn.wait(for: { $0.written.contains(2) ? true : nil }, orLead: \.waiting)
        guard case .done(let isWritten) = second else {
            Issue.record("the part is already written")
            return
        }
        #expect(isWritten)
    }
}
