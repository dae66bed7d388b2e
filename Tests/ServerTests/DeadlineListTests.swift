import Testing
import Time

@testable import Server

private func list() -> DeadlineQueue {
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

@Suite("A deadline")
struct DeadlineListTests {
    @Test("expires after the duration of its kind, not before")
    func durations() {
        for (kind, duration) in [
            (DeadlineQueue.Kind.head, 10), (.body, 20), (.idle, 75), (.write, 20),
            (.lingeringClose, 2),
        ] as [(DeadlineQueue.Kind, Int64)] {
            var list = list()
            list.set(3, kind, now: at(100))
            #expect(list.kind(of: 3) == kind)
            #expect(list.next == at(100 + duration))
            for other in DeadlineQueue.Kind.allCases {
                #expect(list.next(other) == (other == kind ? list.next : .distantFuture))
            }
            #expect(list.removeExpired(now: at(99 + duration)) == nil)
            let expired = list.removeExpired(now: at(100 + duration))
            #expect(expired?.slot == 3)
            #expect(expired?.kind == kind)
            #expect(list.kind(of: 3) == nil)
            #expect(list.removeExpired(now: .distantFuture) == nil)
        }
    }

    @Test("there is none at first, nor for a slot that was never used")
    func empty() {
        var list = list()
        #expect(list.next == .distantFuture)
        #expect(list.kind(of: 7) == nil)
        #expect(list.first(.idle) == nil)
        #expect(list.removeExpired(now: .distantFuture) == nil)
        list.clear(7)
        #expect(list.next == .distantFuture)
    }

    @Test("expires in the order in which it was set")
    func order() {
        var list = list()
        for slot in [4, 0, 2, 1, 3] { list.set(slot, .idle, now: at(Int64(slot))) }
        #expect(list.first(.idle) == 4)
        #expect(list.expired(at: at(1000)) == [4, 0, 2, 1, 3])
    }

    @Test("is set anew, and then waits at the end")
    func again() {
        var list = list()
        for slot in 0..<3 { list.set(slot, .idle, now: at(0)) }
        list.set(0, .idle, now: at(5))
        #expect(list.first(.idle) == 1)
        #expect(list.expired(at: at(75)) == [1, 2])
        #expect(list.next == at(80))
    }

    @Test("of another kind takes its place")
    func otherKind() {
        var list = list()
        list.set(0, .idle, now: at(0))
        list.set(0, .head, now: at(1))
        #expect(list.kind(of: 0) == .head)
        #expect(list.first(.idle) == nil)
        #expect(list.next == at(11))
    }

    @Test("can be taken out at the front, in the middle, and at the end", arguments: 0..<4)
    func clear(cleared: Int) {
        var list = list()
        for slot in 0..<4 { list.set(slot, .body, now: at(0)) }
        list.clear(cleared)
        list.clear(cleared)
        #expect(list.kind(of: cleared) == nil)
        #expect(list.expired(at: at(20)) == (0..<4).filter { $0 != cleared })
    }

    @Test("keeps the duration with which it was set when that changes")
    func longer() {
        var list = list()
        list.set(0, .idle, now: at(0))
        list.change { _ in TimeAmount(milliseconds: 200) }
        list.set(1, .idle, now: at(10))
        #expect(list.expired(at: at(74)) == [])
        #expect(list.expired(at: at(75)) == [0])
        #expect(list.next == at(210))
    }

    @Test("set after its duration became shorter waits for those before it, and no longer")
    func shorter() {
        var list = list()
        list.set(0, .idle, now: at(0))
        list.set(1, .idle, now: at(10))
        list.change { _ in TimeAmount(milliseconds: 5) }
        list.set(2, .idle, now: at(20))
        list.set(3, .head, now: at(20))
        #expect(list.next == at(25))
        #expect(list.expired(at: at(25)) == [3])
        #expect(list.expired(at: at(84)) == [0])
        #expect(list.expired(at: at(85)) == [1, 2])
        list.set(0, .idle, now: at(90))
        #expect(list.next == at(95))
    }

    @Test("behaves as in a simple model, whatever is done in whatever order")
    func model() {
        var (list, model): (DeadlineQueue, [Int: (DeadlineQueue.Kind, MonotonicTime)]) = (
            list(), [:]
        )
        var random: UInt64 = 1
        func roll(_ sides: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(random >> 33) % sides
        }
        let durations: [Int64] = [10, 20, 75, 20, 2]
        for step in 0..<5000 {
            let (now, slot) = (at(Int64(step)), roll(40))
            switch roll(4) {
            case 0:
                list.clear(slot)
                model[slot] = nil
            case 1:
                while let (slot, kind) = list.removeExpired(now: now) {
                    #expect(model[slot]?.0 == kind)
                    #expect(model[slot].map { $0.1 <= now } == true)
                    model[slot] = nil
                }
                #expect(model.values.allSatisfy { $0.1 > now })
            default:
                let kind = DeadlineQueue.Kind.allCases[roll(5)]
                list.set(slot, kind, now: now)
                model[slot] = (kind, now + TimeAmount(milliseconds: durations[kind.rawValue]))
            }
            #expect(list.next == model.values.map(\.1).min() ?? .distantFuture)
            #expect(list.kind(of: slot) == model[slot]?.0)
        }
    }
}
