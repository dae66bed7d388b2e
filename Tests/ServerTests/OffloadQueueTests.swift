import Dispatch
import HTTP
import POSIX
import TestSupport
import Testing

@testable import Server

@Suite("The offload queue", .blocking)
struct OffloadQueueTests {
    @Test("runs as many at a time as it is wide, and no more wait than have room")
    func limits() {
        let (queue, gate, done) = (
            OffloadQueue(QueueLimits(maximumConcurrent: 2, maximumQueued: 3)), Gate(), Events()
        )
        let submit = { (name: String) in
            queue.submit {
                gate.pass()
                done.add(name)
            }
        }
        #expect(submit("a") && submit("b"))
        #expect(gate.waitForArrival() && gate.waitForArrival())
        #expect(submit("c") && submit("d") && submit("e"))
        #expect(!submit("f"))
        #expect(!submit("g"))
        gate.open()
        // One is through, so that one that waited runs and there is room for another.
        #expect(gate.waitForArrival())
        #expect(submit("h"))
        #expect(!submit("i"))
        gate.open(for: 5)
        #expect(gate.waitForArrival() && gate.waitForArrival() && gate.waitForArrival())
        #expect(submit("j"))
        gate.open()
        #expect(gate.waitForArrival())
    }

    @Test("runs what waits in the order in which it came")
    func order() {
        let (queue, gate, done) = (
            OffloadQueue(QueueLimits(maximumConcurrent: 1, maximumQueued: 100)), Gate(), Events()
        )
        let end = DispatchSemaphore(value: 0)
        #expect(queue.submit { gate.pass() })
        for number in 0..<50 { #expect(queue.submit { done.add("\(number)") }) }
        #expect(queue.submit { end.signal() })
        gate.open()
        #expect(end.wait(timeout: .now() + TestScale.timeout) == .success)
        #expect(done.all == (0..<50).map { "\($0)" })
    }

    @Test("runs what comes first by priority, and each fourth time the oldest")
    func priority() {
        let (queue, gate, done) = (
            OffloadQueue(QueueLimits(maximumConcurrent: 1, maximumQueued: 100)), Gate(), Events()
        )
        let end = DispatchSemaphore(value: 0)
        #expect(queue.submit { gate.pass() })
        for (priority, name) in [
            (OffloadedWork.Priority.last, "l"), (.ordinary, "o"), (.first, "f"),
        ] {
            for number in 1...3 {
                let isTaken = queue.submit(
                    { done.add("\(name)\(number)") }, priority: priority)
                #expect(isTaken)
            }
        }
        let isTaken = queue.submit({ end.signal() }, priority: .last)
        #expect(isTaken)
        gate.open()
        #expect(end.wait(timeout: .now() + TestScale.timeout) == .success)
        #expect(done.all == ["f1", "f2", "f3", "l1", "o1", "o2", "o3", "l2", "l3"])
    }

    @Test("gives the place of the youngest of the lowest priority to what comes before it")
    func displacement() {
        let (queue, gate, done) = (
            OffloadQueue(QueueLimits(maximumConcurrent: 1, maximumQueued: 4)), Gate(), Events()
        )
        let end = DispatchSemaphore(value: 0)
        func submit(_ name: String, _ priority: OffloadedWork.Priority) -> Bool {
            queue.submit(
                {
                    done.add(name)
                    end.signal()
                }, priority: priority, displaced: { done.add("not \(name)") })
        }
        #expect(queue.submit { gate.pass() })
        #expect(gate.waitForArrival())
        #expect(submit("l1", .last) && submit("o1", .ordinary))
        #expect(submit("l2", .last) && submit("o2", .ordinary))
        #expect(!submit("l3", .last))
        #expect(submit("o3", .ordinary))
        #expect(submit("f1", .first))
        #expect(!submit("o4", .ordinary))
        #expect(submit("f2", .first))
        #expect(done.all == ["not l2", "not l1", "not o3"])
        #expect(queue.statistics.refused == 5)
        #expect(queue.statistics.waiting == 4)
        gate.open()
        for _ in 0..<4 { #expect(end.wait(timeout: .now() + TestScale.timeout) == .success) }
        #expect(done.all.dropFirst(3) == ["f1", "f2", "o1", "o2"])
    }

    @Test("without a waiting room still runs what it can")
    func noWaitingRoom() {
        let (queue, gate) = (
            OffloadQueue(QueueLimits(maximumConcurrent: 1, maximumQueued: 0)), Gate()
        )
        #expect(queue.submit { gate.pass() })
        #expect(gate.waitForArrival())
        #expect(!queue.submit {})
        gate.open()
    }

    @Test("loses nothing that several threads give it")
    func threads() {
        let queue = OffloadQueue(QueueLimits(maximumConcurrent: 3, maximumQueued: 100_000))
        let (count, done) = (Monitor(0), DispatchGroup())
        for _ in 0..<1000 { done.enter() }
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<250 {
                let isTaken = queue.submit {
                    count.withLock { $0 += 1 }
                    done.leave()
                }
                #expect(isTaken)
            }
        }
        #expect(done.wait(timeout: .now() + TestScale.timeout) == .success)
        #expect(count.withLock { $0 } == 1000)
    }
}
