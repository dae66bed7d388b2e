import Dispatch
import HTTP
import POSIX

/// A queue for each kind of slow work.
struct OffloadQueues: Sendable {
    private let cpuBound: OffloadQueue
    private let ioBound: OffloadQueue

    init(_ options: ServerOptions) {
        cpuBound = OffloadQueue(options.cpuBoundWork)
        ioBound = OffloadQueue(options.ioBoundWork)
    }

    func statistics(of kind: OffloadedWork.Kind) -> ServerStatistics.Offload {
        switch kind {
        case .cpuBound: cpuBound.statistics
        case .ioBound: ioBound.statistics
        }
    }

    /// Returns false, and does nothing, if the queue of this kind is full; see
    /// `OffloadQueue.submit`.
    func submit(
        _ work: OffloadedWork, run: @escaping OffloadQueue.Work,
        displaced: @escaping OffloadQueue.Work
    ) -> Bool {
        let queue =
            switch work.kind {
            case .cpuBound: cpuBound
            case .ioBound: ioBound
            }
        return queue.submit(run, priority: work.priority, displaced: displaced)
    }
}

/// Runs slow work outside the workers: a limited number at a time, and a limited number queued.
///
/// Queued work runs in the order of its priority, then of its arrival. If the queue is full, new
/// work evicts the newest entry of the lowest priority, if its own is higher: work that has waited
/// longer keeps its place. Every fourth turn takes the oldest entry whatever its priority, so that
/// nothing starves.
final class OffloadQueue: Sendable {
    typealias Work = @Sendable () -> Void

    private struct Entry {
        let work: Work
        let priority: OffloadedWork.Priority
        let evicted: Work
    }

    private struct State {
        /// Lanes on which nothing runs.
        var free: [Int]
        var running: Int { width - free.count }
        let width: Int
        /// Queued work in the order of arrival.
        var waiting: [Entry] = []
        var turns: UInt64 = 0
        var refused: UInt64 = 0

        /// Removes and returns the work to run next.
        mutating func next() -> Entry? {
            guard !waiting.isEmpty else { return nil }
            turns &+= 1
            guard !turns.isMultiple(of: OffloadQueue.oldestFirstInterval) else {
                return waiting.removeFirst()
            }
            var chosen = 0
            for index in waiting.indices
            where waiting[index].priority > waiting[chosen].priority { chosen = index }
            return waiting.remove(at: chosen)
        }

        /// Removes and returns the entry that work of this priority evicts; nil if there is none.
        mutating func evict(for priority: OffloadedWork.Priority) -> Entry? {
            var chosen: Int?
            var lowest = priority
            for index in waiting.indices where waiting[index].priority < priority {
                guard waiting[index].priority <= lowest else { continue }
                (chosen, lowest) = (index, waiting[index].priority)
            }
            return chosen.map { waiting.remove(at: $0) }
        }
    }

    /// The oldest entry runs in every fourth turn, whatever its priority. So every entry runs after
    /// a bounded number of turns.
    private static let oldestFirstInterval: UInt64 = 4

    private let state: Monitor<State>
    /// One serial queue for each concurrent piece of work. A concurrent queue would share the
    /// threads that Dispatch keeps for all of them, one for each processor: work that waits for the
    /// disk would delay password hashing.
    private let lanes: [DispatchQueue]
    private let limits: QueueLimits

    init(_ limits: QueueLimits) {
        self.limits = limits
        lanes = (0..<limits.maximumConcurrent).map {
            DispatchQueue(label: "gatehouse.offload.\($0)")
        }
        state = Monitor(
            State(
                free: Array((0..<limits.maximumConcurrent).reversed()),
                width: limits.maximumConcurrent))
    }

    /// Runs or queues work.
    /// - Parameter displaced: Called instead of `work`, on any thread, if it is evicted from the
    ///   queue.
    /// - Returns: False, with nothing done, if the queue is full of work that is not evicted for
    ///   it.
    func submit(
        _ work: @escaping Work, priority: OffloadedWork.Priority = .ordinary,
        displaced: @escaping Work = {}
    ) -> Bool {
        enum Decision {
            case run(on: Int)
            case reject
            case enqueue(evicting: Entry?)
        }
        let decision: Decision = state.withLock { state in
            if let lane = state.free.popLast() { return .run(on: lane) }
            var evicted: Entry?
            if state.waiting.count >= limits.maximumQueued {
                state.refused += 1
                evicted = state.evict(for: priority)
                if evicted == nil { return .reject }
            }
            state.waiting.append(
                Entry(work: work, priority: priority, evicted: displaced))
            return .enqueue(evicting: evicted)
        }
        switch decision {
        case .reject: return false
        case .run(let lane): lanes[lane].async { self.run(work, on: lane) }
        case .enqueue(let evicted): evicted?.evicted()
        }
        return true
    }

    /// Does the work, and then queued work until there is none.
    private func run(_ first: @escaping Work, on lane: Int) {
        var work: Work? = first
        while let current = work {
            current()
            work = state.withLock { state in
                if let next = state.next() { return next.work }
                state.free.append(lane)
                return nil
            }
        }
    }

    /// How much work is running and queued now, and how much was rejected so far.
    var statistics: ServerStatistics.Offload {
        state.withLock {
            ServerStatistics.Offload(
                running: $0.running, waiting: $0.waiting.count, rejected: $0.refused)
        }
    }
}
