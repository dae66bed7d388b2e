import HTTP
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
    private let headTimeouts = Total()
    private let bodyTimeouts = Total()
    private let idleTimeouts = Total()
    private let writeTimeouts = Total()
    private let open = Atomic<Int>(0)

    var connections: Int { open.load(ordering: .relaxed) }

    func begin() { open.add(1, ordering: .relaxed) }

    func end() { open.subtract(1, ordering: .relaxed) }

    /// Counts a deadline that has expired.
    func add(_ kind: DeadlineList.Kind) {
        switch kind {
        case .head: headTimeouts.add()
        case .body: bodyTimeouts.add()
        case .idle: idleTimeouts.add()
        case .write: writeTimeouts.add()
        // The response was sent; how the client takes its leave is its own affair.
        case .linger: break
        }
    }

    func statistics(_ offload: OffloadQueues) -> ServerStatistics {
        ServerStatistics(
            connections: connections, accepted: accepted.value, tooMany: tooMany.value,
            refused: refused.value, retracted: retracted.value,
            timeouts: ServerStatistics.Timeouts(
                head: headTimeouts.value, body: bodyTimeouts.value, idle: idleTimeouts.value,
                write: writeTimeouts.value),
            computing: offload.statistics(of: .computing),
            waiting: offload.statistics(of: .waiting))
    }
}
