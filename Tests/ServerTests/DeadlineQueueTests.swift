import Testing
import Time

@testable import Server

private func makeQueue() -> DeadlineQueue {
    DeadlineQueue { kind in
        switch kind {
        case .head: TimeAmount(milliseconds: 10)
        case .body: TimeAmount(milliseconds: 20)
        case .idle: TimeAmount(milliseconds: 75)
        case .write: TimeAmount(milliseconds: 20)
        case .lingeringClose: TimeAmount(milliseconds: 2)
        }
    }
}

private func at(_ milliseconds: Int64) -> MonotonicTime {
    MonotonicTime(nanoseconds: milliseconds * 1_000_000)
}

extension DeadlineQueue {
    /// The slots that expire, in order.
    fileprivate mutating func expired(at now: MonotonicTime) -> [Int] {
        var slots: [Int] = []
        while let (slot, _) = removeExpired(now: now) { slots.append(slot) }
        return slots
    }
}

struct DeadlineQueueTests {
    @Test func `a deadline expires after the duration of its kind, not before`() {
        for (kind, duration) in [
            (DeadlineQueue.Kind.head, 10), (.body, 20), (.idle, 75), (.write, 20),
            (.lingeringClose, 2),
        ] as [(DeadlineQueue.Kind, Int64)] {
            var queue = makeQueue()
            queue.set(3, kind, now: at(100))
            #expect(queue.kind(of: 3) == kind)
            #expect(queue.next == at(100 + duration))
            for other in DeadlineQueue.Kind.allCases {
                #expect(queue.next(other) == (other == kind ? queue.next : .distantFuture))
            }
            #expect(queue.removeExpired(now: at(99 + duration)) == nil)
            let expired = queue.removeExpired(now: at(100 + duration))
            #expect(expired?.slot == 3)
            #expect(expired?.kind == kind)
            #expect(queue.kind(of: 3) == nil)
            #expect(queue.removeExpired(now: .distantFuture) == nil)
        }
    }

    @Test func `an empty queue has no deadline, nor has an unused slot`() {
        var queue = makeQueue()
        #expect(queue.next == .distantFuture)
        #expect(queue.kind(of: 7) == nil)
        #expect(queue.first(.idle) == nil)
        #expect(queue.removeExpired(now: .distantFuture) == nil)
        queue.clear(7)
        #expect(queue.next == .distantFuture)
    }

    @Test func `deadlines of a kind expire in the order in which they were set`() {
        var queue = makeQueue()
        for slot in [4, 0, 2, 1, 3] { queue.set(slot, .idle, now: at(Int64(slot))) }
        #expect(queue.first(.idle) == 4)
        #expect(queue.expired(at: at(1000)) == [4, 0, 2, 1, 3])
    }

    @Test func `a deadline that is set again moves to the end`() {
        var queue = makeQueue()
        for slot in 0..<3 { queue.set(slot, .idle, now: at(0)) }
        queue.set(0, .idle, now: at(5))
        #expect(queue.first(.idle) == 1)
        #expect(queue.expired(at: at(75)) == [1, 2])
        #expect(queue.next == at(80))
    }

    @Test func `a deadline of another kind replaces the earlier one`() {
        var queue = makeQueue()
        queue.set(0, .idle, now: at(0))
        queue.set(0, .head, now: at(1))
        #expect(queue.kind(of: 0) == .head)
        #expect(queue.first(.idle) == nil)
        #expect(queue.next == at(11))
    }

    @Test(arguments: 0..<4)
    func `a deadline can be cleared at the front, in the middle and at the end`(cleared: Int) {
        var queue = makeQueue()
        for slot in 0..<4 { queue.set(slot, .body, now: at(0)) }
        queue.clear(cleared)
        queue.clear(cleared)
        #expect(queue.kind(of: cleared) == nil)
        #expect(queue.expired(at: at(20)) == (0..<4).filter { $0 != cleared })
    }

    @Test func `a deadline keeps its duration when the duration of its kind changes`() {
        var queue = makeQueue()
        queue.set(0, .idle, now: at(0))
        queue.change { _ in TimeAmount(milliseconds: 200) }
        queue.set(1, .idle, now: at(10))
        #expect(queue.expired(at: at(74)) == [])
        #expect(queue.expired(at: at(75)) == [0])
        #expect(queue.next == at(210))
    }

    @Test func `a deadline set after its duration was shortened waits for those before it`() {
        var queue = makeQueue()
        queue.set(0, .idle, now: at(0))
        queue.set(1, .idle, now: at(10))
        queue.change { _ in TimeAmount(milliseconds: 5) }
        queue.set(2, .idle, now: at(20))
        queue.set(3, .head, now: at(20))
        #expect(queue.next == at(25))
        #expect(queue.expired(at: at(25)) == [3])
        #expect(queue.expired(at: at(84)) == [0])
        #expect(queue.expired(at: at(85)) == [1, 2])
        queue.set(0, .idle, now: at(90))
        #expect(queue.next == at(95))
    }

    @Test func `a deadline queue behaves like a simple model under random operations`() {
        var (queue, model): (DeadlineQueue, [Int: (DeadlineQueue.Kind, MonotonicTime)]) = (
            makeQueue(), [:]
        )
        var random: UInt64 = 1
        func randomInt(_ sides: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(random >> 33) % sides
        }
        let durations: [Int64] = [10, 20, 75, 20, 2]
        for step in 0..<5000 {
            let (now, slot) = (at(Int64(step)), randomInt(40))
            switch randomInt(4) {
            case 0:
                queue.clear(slot)
                model[slot] = nil
            case 1:
                while let (slot, kind) = queue.removeExpired(now: now) {
                    #expect(model[slot]?.0 == kind)
                    #expect(model[slot].map { $0.1 <= now } == true)
                    model[slot] = nil
                }
                #expect(model.values.allSatisfy { $0.1 > now })
            default:
                let kind = DeadlineQueue.Kind.allCases[randomInt(5)]
                queue.set(slot, kind, now: now)
                model[slot] = (kind, now + TimeAmount(milliseconds: durations[kind.rawValue]))
            }
            #expect(queue.next == model.values.map(\.1).min() ?? .distantFuture)
            #expect(queue.kind(of: slot) == model[slot]?.0)
        }
    }
}
