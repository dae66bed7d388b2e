/// A token bucket of bytes: at most `capacity` at once, and `rate` a second on average. In any span
/// of `t` seconds, at most `capacity + rate * t` bytes are taken.
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

    /// The bytes that can be taken now.
    /// - Parameter now: Milliseconds of a monotonic clock. It may be earlier than before, because
    ///   threads read it before they wait for a lock. An earlier time adds nothing, and the bucket
    ///   keeps its own time.
    mutating func available(at now: Int64) -> Int {
        guard now > time else { return level / 1000 }
        let (elapsed, overflow) = now.subtractingReportingOverflow(time)
        time = now
        let longest = Int64(capacity * 1000 / rate + 1)
        level = min(capacity * 1000, level + rate * Int(overflow ? longest : min(elapsed, longest)))
        return level / 1000
    }

    /// Takes `count` bytes if they are available. Returns false, and takes nothing, otherwise.
    mutating func take(_ count: Int, at now: Int64) -> Bool {
        guard available(at: now) >= count else { return false }
        level -= count * 1000
        return true
    }

    /// Takes `count` bytes even if they are not available; the deficit delays what is taken next.
    mutating func takeUnconditionally(_ count: Int) { level -= count * 1000 }

    /// Returns bytes that were taken but not used.
    mutating func giveBack(_ count: Int) { level = min(capacity * 1000, level + count * 1000) }
}
