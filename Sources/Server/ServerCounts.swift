import HTTP
import POSIX
import Synchronization

/// The counts of all workers of a server together. A request that is answered normally updates none
/// of them; only connections and failures do.
final class ServerCounts: Sendable {
    /// A counter that never decreases.
    struct Total: ~Copyable {
        private let count = Atomic<UInt64>(0)

        var value: UInt64 { count.load(ordering: .relaxed) }

        func add() { count.wrappingAdd(1, ordering: .relaxed) }
    }

    let accepted = Total()
    /// Connections that were rejected because the server was full.
    let tooMany = Total()
    /// Rejections before a handler has seen the request.
    let rejected = Total()
    /// Responses that were replaced because their event could not be recorded.
    let replaced = Total()
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
    private let rejectedOpen = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let cutOff = Atomic<Bool>(false)

    /// All open connections.
    var connections: Int { served + rejectedOpen.load(ordering: .relaxed) }

    /// Open connections except those that are being rejected.
    var served: Int { open.load(ordering: .relaxed) }

    /// Counts a new connection.
    func begin() { open.add(1, ordering: .relaxed) }

    /// Counts a connection that gets the rejection of a full server, new or evicted.
    func reject() {
        tooMany.add()
        rejectedOpen.add(1, ordering: .relaxed)
        open.subtract(1, ordering: .relaxed)
    }

    /// Counts the end of a connection.
    func end(_ connection: Connection) {
        if connection.isRejected {
            rejectedOpen.subtract(1, ordering: .relaxed)
        } else {
            open.subtract(1, ordering: .relaxed)
        }
    }

    /// Whether a stop has closed a connection with a request in progress.
    var hasCutOff: Bool { cutOff.load(ordering: .relaxed) }

    func noteCutOff() { cutOff.store(true, ordering: .relaxed) }

    /// Whether a worker waits for descriptors or memory, and should be notified when some are free.
    var hasWaitingWorkers: Bool { waiting.load(ordering: .relaxed) > 0 }

    func beginWaiting() { waiting.add(1, ordering: .relaxed) }

    func endWaiting() { waiting.subtract(1, ordering: .relaxed) }

    /// Counts a response that no handler has made: to bytes without a valid request, or in place of
    /// a handler's response.
    func addResponseWithoutRequest(_ status: Status) {
        answersToNoRequest.withLock { $0[status, default: 0] += 1 }
    }

    /// Counts a deadline that has expired.
    func add(_ kind: DeadlineQueue.Kind) {
        switch kind {
        case .head: headTimeouts.add()
        case .body: bodyTimeouts.add()
        case .idle: idleTimeouts.add()
        case .write: writeTimeouts.add()
        // The response was sent; how the client closes does not matter.
        case .lingeringClose: break
        }
    }

    /// Counts an evicted connection by its activity.
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
            refused: rejected.value, replaced: replaced.value,
            responsesWithoutRequest: answersToNoRequest.withLock { $0 },
            timeouts: ServerStatistics.Timeouts(
                head: headTimeouts.value, body: bodyTimeouts.value, idle: idleTimeouts.value,
                write: writeTimeouts.value),
            evicted: ServerStatistics.Evictions(
                idle: evictedIdle.value, head: evictedHeads.value, body: evictedBodies.value,
                response: evictedResponses.value),
            cpuBound: offload.statistics(of: .cpuBound),
            ioBound: offload.statistics(of: .ioBound))
    }
}
