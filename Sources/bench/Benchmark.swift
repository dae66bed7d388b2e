import Time

/// A benchmark: an operation that is repeated and measured.
struct Benchmark {
    /// The operation's name in the table.
    let name: String
    /// The allocations that one operation may make in the steady state.
    let allocationBudget: Int
    /// Performs the operation `count` times.
    let run: (_ count: Int) -> Void

    init(_ name: String, allocations budget: Int = 0, _ run: @escaping (_ count: Int) -> Void) {
        self.name = name
        allocationBudget = budget
        self.run = run
    }

    /// The results for one operation.
    struct Figures {
        /// The median over the rounds.
        let nanoseconds: Double
        let allocations: Double
    }

    func measure() -> Figures {
        run(2000)  // buffers grow, caches fill
        var count = 100
        while nanoseconds(count) < 5_000_000 { count *= 2 }
        let rounds = (0..<15).map { _ in nanoseconds(count) / Double(count) }.sorted()
        return Figures(nanoseconds: rounds[7], allocations: allocationsPerRun())
    }

    /// How many times as long one operation takes as `count` operations of another. The median of
    /// rounds that measure both in turn, so that a change of the machine's speed affects both.
    func ratio(to count: Int, of other: Benchmark) -> Double {
        let operations = 4000
        run(operations)
        other.run(operations * count)
        let rounds = (0..<25).map { _ in
            nanoseconds(operations) / other.nanoseconds(operations * count)
        }
        return rounds.sorted()[12]
    }

    func allocationsPerRun() -> Double {
        run(2000)
        let before = Allocations.count
        run(1000)
        return Double(Allocations.count - before) / 1000
    }

    private func nanoseconds(_ count: Int) -> Double {
        let start = MonotonicTime.now
        run(count)
        return Double(MonotonicTime.now.nanoseconds - start.nanoseconds)
    }
}
