import Time

/// One thing to measure: an operation that is done over and over.
struct Benchmark {
    /// What is done, as the table says it.
    let name: String
    /// Allocations that one operation may make in the steady state.
    let allocationBudget: Int
    /// Does the operation `count` times.
    let run: (_ count: Int) -> Void

    init(_ name: String, allocations budget: Int = 0, _ run: @escaping (_ count: Int) -> Void) {
        self.name = name
        allocationBudget = budget
        self.run = run
    }

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

    /// How many times as long one operation takes as `count` of another: the median of rounds in
    /// which both are measured, one after the other, so that a machine whose speed drifts slows both.
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
