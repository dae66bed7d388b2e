import HTTP
import POSIX
import Synchronization

/// What all workers of a server count together. Nothing here is touched for a request that is
/// answered as it should be, only for connections and for what goes wrong.
final class ServerCounts: Sendable {
    /// A number that only grows.
    struct Total: ~Copyable {
        private let count = Atomic<UInt64>(0)

        var value: UInt64 { count.load(ordering: .relaxed) }

        func add() { count.wrappingAdd(1, ordering: .relaxed) }
    }

    let accepted = Total()
    /// Connections past the maximum.
    let tooMany = Total()
    /// What was refused before a handler saw it.
    let refused = Total()
    let retracted = Total()
    private let answersToNoRequest = Monitor<[Status: UInt64]>([:])
    private let headTimeouts = Total()
    private let bodyTimeouts = Total()
    private let idleTimeouts = Total()
    private let writeTimeouts = Total()
    private let evictedIdle = Total()
    private let evictedHeads = Total()
    private let evictedBodies = Total()
    private let evictedResponses = Total()
    private let open = Atomic<Int>(0)
    private let turnedAway = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let cutOff = Atomic<Bool>(false)

    /// All of them.
    var connections: Int { served + turnedAway.load(ordering: .relaxed) }

    /// Those that are not being told that they are too many.
    var served: Int { open.load(ordering: .relaxed) }

    /// Counts a connection that begins.
    func begin() { open.add(1, ordering: .relaxed) }

    /// Counts a connection that is refused, or told that it made room for another.
    func reject() {
        tooMany.add()
        turnedAway.add(1, ordering: .relaxed)
        open.subtract(1, ordering: .relaxed)
    }

    func end(_ connection: Connection) {
        if connection.isRejected {
            turnedAway.subtract(1, ordering: .relaxed)
        } else {
            open.subtract(1, ordering: .relaxed)
        }
    }

    /// Whether a stop has ended a connection that was in the middle of something.
    var hasCutOff: Bool { cutOff.load(ordering: .relaxed) }

    func noteCutOff() { cutOff.store(true, ordering: .relaxed) }

    /// Whether a worker waits for descriptors or memory, so that it is worth telling that some are free.
    var someoneWaits: Bool { waiting.load(ordering: .relaxed) > 0 }

    func beginWaiting() { waiting.add(1, ordering: .relaxed) }

    func endWaiting() { waiting.subtract(1, ordering: .relaxed) }

    /// Counts what was sent to somebody without a request that a handler had seen, or in place of what it
    /// had answered.
    func addAnswerToNoRequest(_ status: Status) {
        answersToNoRequest.withLock { $0[status, default: 0] += 1 }
    }

    /// Counts a deadline that has expired.
    func add(_ kind: DeadlineQueue.Kind) {
        switch kind {
        case .head: headTimeouts.add()
        case .body: bodyTimeouts.add()
        case .idle: idleTimeouts.add()
        case .write: writeTimeouts.add()
        // The response was sent; how the client takes its leave is its own affair.
        case .lingeringClose: break
        }
    }

    /// Counts a connection that made room for another one, by what it was doing.
    func addEvicted(_ kind: ConnectionActivity.Kind) {
        switch kind {
        case .lingering, .idle, .readyToSend: evictedIdle.add()
        case .head: evictedHeads.add()
        case .body: evictedBodies.add()
        case .writing, .busy: evictedResponses.add()
        }
    }

    func statistics(_ offload: OffloadQueues) -> ServerStatistics {
        ServerStatistics(
            connections: connections, accepted: accepted.value, tooMany: tooMany.value,
            refused: refused.value, retracted: retracted.value,
            answersToNoRequest: answersToNoRequest.withLock { $0 },
            timeouts: ServerStatistics.Timeouts(
                head: headTimeouts.value, body: bodyTimeouts.value, idle: idleTimeouts.value,
                write: writeTimeouts.value),
            evicted: ServerStatistics.Evictions(
                idle: evictedIdle.value, head: evictedHeads.value, body: evictedBodies.value,
                response: evictedResponses.value),
            computing: offload.statistics(of: .cpuBound),
            waiting: offload.statistics(of: .ioBound))
    }
}
