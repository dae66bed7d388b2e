import Time

/// How often logins have failed for each of many keys, in a fixed amount of memory however many keys
/// there are.
///
/// A set-associative table, as a processor's cache is: the key's low bits choose a set of eight places,
/// and the whole key is compared there. A new key takes the least interesting place of its set: one
/// that holds nothing any more; else the one with the fewest failures, of those the oldest; else the
/// lock that ends first. A place with attempts in flight is never taken. So to push a count out one
/// has to fail more often, at eight other keys of the same set, than was failed at it; keys are
/// secret hashes, so nobody can choose the set. That is far more work than waiting for the lock's end.
///
/// - Precondition: keys are hashes that a stranger cannot compute.
struct AttemptTable {
    private static let ways = 8
    private let sets: Int
    /// Empty until the first attempt: a server that nobody logs in to pays nothing.
    private var entries: [FailureWindow] = []
    /// How often the table was asked or changed. Tests compare it: the work for an identifier must
    /// not depend on whether the identifier exists.
    private(set) var operations: UInt64 = 0

    /// - Parameter capacity: how many keys are counted at a time; a power of two, at least 8.
    init(capacity: Int) {
        precondition(capacity >= Self.ways && capacity.nonzeroBitCount == 1)
        sets = capacity / Self.ways
    }

    /// When an attempt may be made; nil if now.
    mutating func refusal(of key: UInt64, at now: Timestamp, _ rule: AttemptRule) -> Timestamp? {
        guard let index = index(of: key) else { return nil }
        entries[index].update(to: now, rule)
        return entries[index].refusal(at: now, rule)
    }

    /// Failures within the window and attempts in flight.
    mutating func usage(
        by key: UInt64, at now: Timestamp, _ rule: AttemptRule
    ) -> (failures: Int, inFlight: Int) {
        guard let index = index(of: key) else { return (0, 0) }
        entries[index].update(to: now, rule)
        return (entries[index].failures, Int(entries[index].inFlight))
    }

    /// Counts an attempt as in flight; false if each place that the key could have has attempts of
    /// others in flight.
    mutating func begin(_ key: UInt64, at now: Timestamp, _ rule: AttemptRule) -> Bool {
        guard let index = index(of: key) ?? makePlace(for: key, at: now, rule) else { return false }
        entries[index].inFlight += 1
        return true
    }

    /// An attempt that was in flight has failed.
    /// - Parameter subject: what a lock is listed by.
    mutating func fail(
        _ key: UInt64, _ subject: UInt128, at now: Timestamp, _ rule: AttemptRule
    ) -> LoginThrottle.Failure.Count {
        // It is there: places with attempts in flight are not taken.
        guard let index = index(of: key) else { return .none }
        entries[index].inFlight -= 1
        entries[index].update(to: now, rule)
        return entries[index].fail(subject, at: now, rule)
    }

    /// An attempt that was in flight has not failed.
    /// - Parameter clearing: forgets all that have.
    mutating func end(_ key: UInt64, clearing: Bool) {
        guard let index = index(of: key) else { return }
        entries[index].inFlight -= 1
        if clearing { entries[index].clear() }
    }

    /// Forgets the failures of a key and its lock; attempts in flight stay.
    /// - Returns: whether it was locked.
    @discardableResult
    mutating func reset(_ key: UInt64, at now: Timestamp) -> Bool {
        guard let index = index(of: key) else { return false }
        let isLocked = entries[index].lockedUntil.map { $0 > now } ?? false
        entries[index].clear()
        return isLocked
    }

    /// The same for every key.
    mutating func resetAll() {
        for index in entries.indices { entries[index].clear() }
    }

    private mutating func index(of key: UInt64) -> Int? {
        operations &+= 1
        guard !entries.isEmpty else { return nil }
        let start = start(of: key)
        for index in start..<(start + Self.ways) where entries[index].key == key { return index }
        return nil
    }

    private mutating func makePlace(
        for key: UInt64, at now: Timestamp, _ rule: AttemptRule
    ) -> Int? {
        if entries.isEmpty {
            entries = Array(repeating: FailureWindow(key: 0), count: sets * Self.ways)
        }
        let start = start(of: key)
        var chosen: Int?
        for index in start..<(start + Self.ways) {
            entries[index].update(to: now, rule)
            guard entries[index].inFlight == 0 else { continue }
            if let best = chosen, !entries[index].isEvictedBefore(lessThan: entries[best]) {
                continue
            }
            chosen = index
        }
        if let chosen { entries[chosen] = FailureWindow(key: key) }
        return chosen
    }

    private func start(of key: UInt64) -> Int {
        Int(truncatingIfNeeded: key & UInt64(sets - 1)) * Self.ways
    }

    /// The keys that are locked, in no order.
    func locks(at now: Timestamp) -> [AttemptLock] {
        entries.compactMap { entry in
            guard let until = entry.lockedUntil, until > now else { return nil }
            return AttemptLock(key: entry.key, subject: entry.subject, until: until)
        }
    }

    /// How many keys are locked.
    func lockedCount(at now: Timestamp) -> Int {
        var count = 0
        for index in entries.indices {
            if let until = entries[index].lockedUntil, until > now { count += 1 }
        }
        return count
    }

    /// Bytes that the table has taken.
    var memory: Int { entries.capacity * MemoryLayout<FailureWindow>.stride }
}

/// A key that takes no attempts for a while.
struct AttemptLock {
    let key: UInt64
    /// What the last failure said that the lock is listed by.
    let subject: UInt128
    let until: Timestamp
}

/// How many failures within which time are too many, and for how long.
struct AttemptRule {
    /// At least 1.
    let limit: Int
    /// Attempts at a time, at least 1.
    var maximumInFlight = Int.max
    let window: TimeAmount
    let lockout: TimeAmount
}

/// The attempts under one key.
///
/// The window slides: what is older than it does not count. Eight moments are kept, each with how many
/// failures it stands for, the moment of the last of them; a limit up to eight is therefore counted
/// exactly, and a higher one with an eighth of the failures counted a little longer than the window.
struct FailureWindow {
    private static let moments = 8

    let key: UInt64
    /// Attempts that were admitted and whose outcome is not known yet.
    var inFlight: UInt16 = 0
    /// How many moments are kept; none while it is locked.
    private var used: UInt8 = 0
    private var isLocked = false
    private var counts = InlineArray<8, UInt32>(repeating: 0)
    /// While it is locked: the end of the lock, and the two halves of its subject. A lock keeps no
    /// moments, so it shares their room.
    private var times = InlineArray<8, Int64>(repeating: 0)

    init(key: UInt64) { self.key = key }

    var lockedUntil: Timestamp? { isLocked ? Timestamp(milliseconds: times[0]) : nil }

    /// What the lock is listed by; meaningful while there is one.
    var subject: UInt128 {
        UInt128(UInt64(bitPattern: times[1])) << 64 | UInt128(UInt64(bitPattern: times[2]))
    }

    private mutating func lock(_ subject: UInt128, until end: Timestamp) {
        isLocked = true
        used = 0
        times[0] = end.milliseconds
        times[1] = Int64(truncatingIfNeeded: subject >> 64)
        times[2] = Int64(truncatingIfNeeded: subject)
    }

    /// Failures within the window.
    var failures: Int {
        var sum = 0
        for index in 0..<Int(used) { sum += Int(counts[index]) }
        return sum
    }

    private var lastTime: Int64 { used > 0 ? times[Int(used) - 1] : .min }

    /// Forgets what is over. If the clock has gone back, what seems to lie ahead counts as of now, and
    /// a lock ends no later than one that begins now; so does one that began under a longer lockout.
    mutating func update(to now: Timestamp, _ rule: AttemptRule) {
        if let until = lockedUntil {
            if until <= now {
                isLocked = false
            } else {
                times[0] = min(until, now + rule.lockout).milliseconds
            }
        }
        var kept = 0
        for index in 0..<Int(used) {
            let time = min(times[index], now.milliseconds)
            guard Timestamp(milliseconds: time) + rule.window > now else { continue }
            times[kept] = time
            counts[kept] = counts[index]
            kept += 1
        }
        used = UInt8(truncatingIfNeeded: kept)
    }

    /// When another attempt may be made; nil if now. Those in flight count as if they had failed,
    /// because all of them may.
    func refusal(at now: Timestamp, _ rule: AttemptRule) -> Timestamp? {
        if let lockedUntil { return lockedUntil }
        let failures = failures
        if failures + Int(inFlight) < rule.limit, Int(inFlight) < rule.maximumInFlight {
            return nil
        }
        // Under a limit that was higher there can be too many without a lock.
        if failures >= rule.limit { return Timestamp(milliseconds: times[0]) + rule.window }
        return now + Self.moment
    }

    /// Where those in flight could use up all that are allowed, or are as many as there may be, it is worth asking again soon.
    private static let moment = TimeAmount.seconds(1)

    mutating func clear() {
        used = 0
        isLocked = false
    }

    /// Counts a failure, and locks at the last one that is allowed; while locked it does neither.
    mutating func fail(
        _ subject: UInt128, at now: Timestamp, _ rule: AttemptRule
    ) -> LoginThrottle.Failure.Count {
        guard !isLocked else {
            return LoginThrottle.Failure.Count(attempts: rule.limit, lockedUntil: nil)
        }
        let share = (rule.limit + Self.moments - 1) / Self.moments
        let last = Int(used) - 1
        if last >= 0, Int(counts[last]) < share || Int(used) == Self.moments {
            // Cannot overflow: a count of the limit, which fits, locks.
            counts[last] += 1
            times[last] = now.milliseconds
        } else {
            times[last + 1] = now.milliseconds
            counts[last + 1] = 1
            used += 1
        }
        let failures = failures
        guard failures >= rule.limit else {
            return LoginThrottle.Failure.Count(attempts: failures, lockedUntil: nil)
        }
        let until = now + rule.lockout
        lock(subject, until: until)
        return LoginThrottle.Failure.Count(attempts: failures, lockedUntil: until)
    }

    /// Whether this one rather than the other may be forgotten.
    func isEvictedBefore(lessThan other: FailureWindow) -> Bool {
        switch (lockedUntil, other.lockedUntil) {
        case (nil, _?): return true
        case (_?, nil): return false
        case (let mine?, let others?): return mine < others
        case (nil, nil):
            let mine = failures
            let others = other.failures
            return mine == others ? lastTime < other.lastTime : mine < others
        }
    }
}
