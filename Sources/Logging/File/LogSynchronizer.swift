import Dispatch
import POSIX

/// Has the log put on the disk beside the threads that write it: one sync at a time, which serves
/// all who waited when it began.
final class LogSynchronizer: Sendable {
    /// What a sync has done.
    enum Result: Sendable {
        /// So many lines since the start are on the disk.
        case onDisk(UInt64)
        case failed(Errno)
    }

    struct Waiter: Sendable {
        /// The number of lines that have to be on the disk.
        let target: UInt64
        let done: @Sendable (Logger.CommitResult) -> Void
    }

    private struct State {
        var waiters: [Waiter] = []
        var isWanted = false
        var isRunning = false
    }

    /// Has a size: a value without one would have the address of the lock's own fields, and the
    /// thread sanitizer takes the two for one.
    private struct DiskTurn {
        var count = 0
    }

    private let state = Monitor(State())
    /// Held during a sync, also by the one that nobody waits for.
    private let disk = Monitor(DiskTurn())
    private let queue = DispatchQueue(label: "gatehouse.log.sync")

    /// Begins a sync unless one is under way; then another follows it. Returns at once.
    /// - Parameters:
    ///   - waiter: who is told.
    ///   - synchronize: called on a thread of its own.
    func want(_ waiter: Waiter?, by synchronize: @escaping @Sendable () -> Result) {
        let begins = state.withLock { state in
            if let waiter { state.waiters.append(waiter) }
            state.isWanted = true
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if begins { queue.async { self.run(synchronize) } }
    }

    func oneAtATime<Result>(_ body: () -> Result) -> Result {
        disk.withLock { turn in
            turn.count &+= 1
            return body()
        }
    }

    private func run(_ synchronize: @Sendable () -> Result) {
        while takeWanted() {
            let result = synchronize()
            let (ready, outcome) = takeReady(result)
            for waiter in ready { waiter.done(outcome) }
        }
    }

    private func takeWanted() -> Bool {
        state.withLock { state in
            defer { state.isWanted = false }
            if !state.isWanted { state.isRunning = false }
            return state.isWanted
        }
    }

    /// Those whose lines are on the disk; after a failure all, because each may try again.
    private func takeReady(_ result: Result) -> (ready: [Waiter], Logger.CommitResult) {
        state.withLock { state in
            switch result {
            case .failed(let error):
                defer { state.waiters = [] }
                return (state.waiters, .failed(error))
            case .onDisk(let count):
                let ready = state.waiters.filter { $0.target <= count }
                state.waiters.removeAll { $0.target <= count }
                if !state.waiters.isEmpty { state.isWanted = true }
                return (ready, .written)
            }
        }
    }
}
