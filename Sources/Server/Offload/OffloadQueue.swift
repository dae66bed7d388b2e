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

    /// False, and nothing done, if the waiting room of its kind is full; see `OffloadQueue.submit`.
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

/// Runs what is slow by nature beside the workers: a few at a time, a few waiting, and no more.
///
/// What waits runs in the order of its priority, and of its arrival within one. Where the waiting room
/// is full, what comes takes the place of the youngest of the lowest priority, if its own is higher:
/// what has waited for long has the better claim. Each fourth turn is the oldest's, whatever its
/// priority, so that nothing that waits does so without end.
final class OffloadQueue: Sendable {
    typealias Work = @Sendable () -> Void

    private struct Entry {
        let work: Work
        let priority: OffloadedWork.Priority
        let evicted: Work
    }

    private struct State {
        /// Places at which nothing runs.
        var free: [Int]
        var running: Int { width - free.count }
        let width: Int
        /// In the order of arrival.
        var waiting: [Entry] = []
        var turns: UInt64 = 0
        var refused: UInt64 = 0

        /// What is to run next.
        mutating func next() -> Entry? {
            guard !waiting.isEmpty else { return nil }
            turns &+= 1
            guard !turns.isMultiple(of: OffloadQueue.turnOfTheOldest) else {
                return waiting.removeFirst()
            }
            var chosen = 0
            for index in waiting.indices
            where waiting[index].priority > waiting[chosen].priority { chosen = index }
            return waiting.remove(at: chosen)
        }

        /// Takes out what has to make room for work of this priority; nil if nothing has.
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

    /// A quarter of what is done is enough to empty a waiting room of any kind in time.
    private static let turnOfTheOldest: UInt64 = 4

    private let state: Monitor<State>
    /// One for each that runs at a time. A concurrent queue would share the threads that Dispatch keeps
    /// for all of them, one for each processor: what waits for the disk would keep passwords waiting.
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

    /// False, and nothing done, if the waiting room is full of what comes before it.
    /// - Parameter displaced: called instead of `work`, on any thread, if it waited and had to make room.
    func submit(
        _ work: @escaping Work, priority: OffloadedWork.Priority = .ordinary,
        displaced: @escaping Work = {}
    ) -> Bool {
        enum Decision {
            case run(at: Int)
            case refuse
            case wait(insteadOf: Entry?)
        }
        let decision: Decision = state.withLock { state in
            if let place = state.free.popLast() { return .run(at: place) }
            var victim: Entry?
            if state.waiting.count >= limits.maximumQueued {
                state.refused += 1
                victim = state.evict(for: priority)
                if victim == nil { return .refuse }
            }
            state.waiting.append(
                Entry(work: work, priority: priority, evicted: displaced))
            return .wait(insteadOf: victim)
        }
        switch decision {
        case .refuse: return false
        case .run(let place): lanes[place].async { self.run(work, at: place) }
        case .wait(let victim): victim?.evicted()
        }
        return true
    }

    /// Does the work, and then what waits, until nothing does.
    private func run(_ first: @escaping Work, at place: Int) {
        var work: Work? = first
        while let current = work {
            current()
            work = state.withLock { state in
                if let next = state.next() { return next.work }
                state.free.append(place)
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
