import Dispatch
import POSIX

/// Runs what is slow by nature beside the workers: a few at a time, a few waiting, and no more.
final class OffloadQueue: Sendable {
    typealias Work = @Sendable () -> Void

    private struct State {
        var running = 0
        var waiting: [Work] = []
    }

    private let state = Locked(State())
    private let queue = DispatchQueue(label: "gatehouse.offload", attributes: .concurrent)
    private let width: Int
    private let limit: Int

    init(width: Int, waiting limit: Int) {
        self.width = width
        self.limit = limit
    }

    /// False, and nothing done, if the waiting room is full.
    func submit(_ work: @escaping Work) -> Bool {
        enum Decision { case run, wait, refuse }
        let decision: Decision = state.withLock { state in
            if state.running < width {
                state.running += 1
                return .run
            }
            guard state.waiting.count < limit else { return .refuse }
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
}
