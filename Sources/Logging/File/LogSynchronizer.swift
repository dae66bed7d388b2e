import Dispatch
import POSIX

/// Syncs the log to disk apart from the threads that write it. One sync runs at a time, and serves
/// all callers that were waiting when it began.
final class LogSynchronizer: Sendable {
    /// The result of one sync.
    enum Result: Sendable {
        /// The number of lines on disk, counted since the start.
        case onDisk(UInt64)
        case failed(Errno)
    }

    struct Waiter: Sendable {
        /// The number of lines, counted since the start, that must be on disk.
        let target: UInt64
        let done: @Sendable (Logger.CommitResult) -> Void
    }

    private struct State {
        var waiters: [Waiter] = []
        var isWanted = false
        var isRunning = false
    }

    /// Has a stored property because an empty value would share the address of the lock's own
    /// fields, and the thread sanitizer would take the two for one.
    private struct DiskTurn {
        var count = 0
    }

    private let state = Monitor(State())
    /// Held during a sync, also during the regular one that has no waiters.
    private let disk = Monitor(DiskTurn())
    private let queue = DispatchQueue(label: "gatehouse.log.sync")

    /// Starts a sync unless one is running; then another follows it. Returns at once.
    /// - Parameters:
    ///   - waiter: Called when its lines are on disk, or with the error.
    ///   - synchronize: Does the sync; called on this type's own queue.
    func request(_ waiter: Waiter?, by synchronize: @escaping @Sendable () -> Result) {
        let mustStart = state.withLock { state in
            if let waiter { state.waiters.append(waiter) }
            state.isWanted = true
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { queue.async { self.run(synchronize) } }
    }

    /// Runs `body` while no other sync runs.
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

    /// Removes the waiters whose lines are on disk. After a failure these are all, because each may
    /// try again.
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
