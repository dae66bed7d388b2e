import Time

/// The value of the Date field (RFC 9110 §6.6.1), recomputed at most every 250 ms.
struct DateField {
    private(set) var text = WallClock.system.now().httpDate
    private var madeAt = MonotonicTime.now

    mutating func update(_ now: MonotonicTime) {
        guard now.since(madeAt).milliseconds >= 250 else { return }
        text = WallClock.system.now().httpDate
        madeAt = now
    }
}
