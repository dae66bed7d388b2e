import Dispatch
import HTTP
import POSIX
import TestSupport
import Testing

@testable import Server

@Suite(.blocking)
struct OffloadQueueTests {
    @Test func `an offload queue runs and queues no more than its limits`() {
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
        // One has finished, so a queued one runs, and another one can be queued.
        #expect(gate.waitForArrival())
        #expect(submit("h"))
        #expect(!submit("i"))
        gate.open(for: 5)
        #expect(gate.waitForArrival() && gate.waitForArrival() && gate.waitForArrival())
        #expect(submit("j"))
        gate.open()
        #expect(gate.waitForArrival())
    }

    @Test func `queued work runs in the order of its arrival`() {
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

    @Test func `queued work runs by priority, and every fourth turn takes the oldest`() {
        let (queue, gate, done) = (
            OffloadQueue(QueueLimits(maximumConcurrent: 1, maximumQueued: 100)), Gate(), Events()
        )
        let end = DispatchSemaphore(value: 0)
        #expect(queue.submit { gate.pass() })
        for (priority, name) in [
            (OffloadedWork.Priority.last, "l"), (.ordinary, "o"), (.first, "f"),
        ] {
            for number in 1...3 {
                let isAccepted = queue.submit(
                    { done.add("\(name)\(number)") }, priority: priority)
                #expect(isAccepted)
            }
        }
        let isAccepted = queue.submit({ end.signal() }, priority: .last)
        #expect(isAccepted)
        gate.open()
        #expect(end.wait(timeout: .now() + TestScale.timeout) == .success)
        #expect(done.all == ["f1", "f2", "f3", "l1", "o1", "o2", "o3", "l2", "l3"])
    }

    @Test func `work evicts the newest entry of the lowest priority from a full queue`() {
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
        #expect(queue.statistics.rejected == 5)
        #expect(queue.statistics.waiting == 4)
        gate.open()
        for _ in 0..<4 { #expect(end.wait(timeout: .now() + TestScale.timeout) == .success) }
        #expect(done.all.dropFirst(3) == ["f1", "f2", "o1", "o2"])
    }

    @Test func `a queue without capacity still runs work on a free lane`() {
        let (queue, gate) = (
            OffloadQueue(QueueLimits(maximumConcurrent: 1, maximumQueued: 0)), Gate()
        )
        #expect(queue.submit { gate.pass() })
        #expect(gate.waitForArrival())
        #expect(!queue.submit {})
        gate.open()
    }

    @Test func `no work is lost that several threads submit`() {
        let queue = OffloadQueue(QueueLimits(maximumConcurrent: 3, maximumQueued: 100_000))
        let (count, done) = (Monitor(0), DispatchGroup())
        for _ in 0..<1000 { done.enter() }
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<250 {
                let isAccepted = queue.submit {
                    count.withLock { $0 += 1 }
                    done.leave()
                }
                #expect(isAccepted)
            }
        }
        #expect(done.wait(timeout: .now() + TestScale.timeout) == .success)
        #expect(count.withLock { $0 } == 1000)
    }
}
