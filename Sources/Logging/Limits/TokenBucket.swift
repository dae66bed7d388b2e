/// Bytes that may be spent: at most `capacity` at once, and `rate` a second on average. In any span of
/// time of `t` seconds no more than `capacity + rate * t` bytes are taken.
struct TokenBucket {
    /// Bytes.
    let capacity: Int
    /// Bytes a second, which is also thousandths of a byte a millisecond.
    let rate: Int
    /// Thousandths of a byte.
    private var level: Int
    /// Milliseconds.
    private var time: Int64

    init(capacity: Int, rate: Int, at now: Int64) {
        self.capacity = capacity
        self.rate = rate
        level = capacity * 1000
        time = now
    }

    /// What can be taken now.
    /// - Parameter now: of a monotonic clock. Where threads have read it and then waited for a lock, it
    ///   may be earlier than before: that gives nothing, and the bucket's own time stays.
    mutating func available(at now: Int64) -> Int {
        guard now > time else { return level / 1000 }
        let (elapsed, overflow) = now.subtractingReportingOverflow(time)
        time = now
        let longest = Int64(capacity * 1000 / rate + 1)
        level = min(capacity * 1000, level + rate * Int(overflow ? longest : min(elapsed, longest)))
        return level / 1000
    }

    mutating func take(_ count: Int, at now: Int64) -> Bool {
        guard available(at: now) >= count else { return false }
        level -= count * 1000
        return true
    }

    /// Takes it in any case; what is missing is made up for before anything else can be taken.
    mutating func takeAnyway(_ count: Int) { level -= count * 1000 }

    /// Takes back part of what was taken.
    mutating func giveBack(_ count: Int) { level = min(capacity * 1000, level + count * 1000) }
}
