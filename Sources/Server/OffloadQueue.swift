import Dispatch
import HTTP
import POSIX

/// A queue for each kind of slow work.
struct OffloadQueues: Sendable {
    private let computing: OffloadQueue
    private let waiting: OffloadQueue

    init(_ options: ServerOptions) {
        computing = OffloadQueue(options.computing)
        waiting = OffloadQueue(options.waiting)
    }

    func statistics(of kind: SlowWork.Kind) -> ServerStatistics.Offload {
        switch kind {
        case .computing: computing.statistics
        case .waiting: waiting.statistics
        }
    }

    /// False, and nothing done, if the waiting room of its kind is full.
    func submit(_ kind: SlowWork.Kind, _ work: @escaping OffloadQueue.Work) -> Bool {
        switch kind {
        case .computing: computing.submit(work)
        case .waiting: waiting.submit(work)
        }
    }
}

/// Runs what is slow by nature beside the workers: a few at a time, a few waiting, and no more.
final class OffloadQueue: Sendable {
    typealias Work = @Sendable () -> Void

    private struct State {
        var running = 0
        var waiting: [Work] = []
        var refused: UInt64 = 0
    }

    private let state = Locked(State())
    private let queue = DispatchQueue(label: "gatehouse.offload", attributes: .concurrent)
    private let limits: QueueLimits

    init(_ limits: QueueLimits) { self.limits = limits }

    /// False, and nothing done, if the waiting room is full.
    func submit(_ work: @escaping Work) -> Bool {
        enum Decision { case run, wait, refuse }
        let decision: Decision = state.withLock { state in
            if state.running < limits.width {
                state.running += 1
                return .run
            }
            guard state.waiting.count < limits.waiting else {
                state.refused += 1
                return .refuse
            }
            state.waiting.append(work)
            return .wait
        }
        if decision == .run { queue.async { self.run(work) } }
        return decision != .refuse
    }

    /// Does the work, and then what waits, until nothing does.
    private func run(_ first: @escaping Work) {
        var work: Work? = first
        while let current = work {
            current()
            work = state.withLock { state in
                guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
                state.running -= 1
                return nil
            }
        }
    }

    /// How much of it runs and waits now, and how much found no room.
    var statistics: ServerStatistics.Offload {
        state.withLock {
            ServerStatistics.Offload(
                running: $0.running, waiting: $0.waiting.count, refused: $0.refused)
        }
    }
}
