import Time

/// Counts failed logins for many keys, in a fixed amount of memory.
///
/// The table is set-associative, like a processor's cache: the low bits of a key select a set of
/// eight entries, and the complete key is compared there. A new key replaces the least valuable
/// entry of its set: one that is empty or has expired, else the one with the fewest failures (the
/// oldest of those), else the lock that ends first. An entry with attempts in flight is never
/// replaced.
///
/// To evict a count, an attacker must therefore cause more failures at eight other keys of the same
/// set than that count has. Keys are secret hashes, so the set cannot be chosen, and this is far
/// more work than waiting for the lock to end.
///
/// - Precondition: keys are keyed hashes that a client cannot compute, and not 0.
struct AttemptTable {
    private static let ways = 8
    private let sets: Int
    /// Allocated at the first attempt: a server without logins uses no memory.
    private var entries: [FailureWindow] = []
    /// Number of lookups and changes. Tests compare it: the work for an identifier must not depend
    /// on whether the identifier exists.
    private(set) var operations: UInt64 = 0

    /// - Parameter capacity: number of entries; a power of two, at least 8.
    init(capacity: Int) {
        precondition(capacity >= Self.ways && capacity.nonzeroBitCount == 1)
        sets = capacity / Self.ways
    }

    /// When the next attempt may be made; nil if now.
    mutating func refusal(of key: UInt64, at now: Timestamp, _ rule: AttemptRule) -> Timestamp? {
        guard let index = index(of: key) else { return nil }
        entries[index].update(to: now, rule)
        return entries[index].refusal(at: now, rule)
    }

    /// Failures within the window, and attempts in flight.
    mutating func usage(
        by key: UInt64, at now: Timestamp, _ rule: AttemptRule
    ) -> (failures: Int, inFlight: Int) {
        guard let index = index(of: key) else { return (0, 0) }
        entries[index].update(to: now, rule)
        return (entries[index].failures, Int(entries[index].inFlight))
    }

    /// Counts an attempt as in flight.
    /// - Returns: false if all entries of the key's set have attempts of other keys in flight.
    mutating func begin(_ key: UInt64, at now: Timestamp, _ rule: AttemptRule) -> Bool {
        guard let index = index(of: key) ?? allocateEntry(for: key, at: now, rule) else {
            return false
        }
        entries[index].inFlight += 1
        return true
    }

    /// Records that an attempt in flight has failed.
    /// - Parameter subject: identifies the lock in `locks(at:)`.
    mutating func fail(
        _ key: UInt64, _ subject: UInt128, at now: Timestamp, _ rule: AttemptRule
    ) -> LoginThrottle.Failure.Count {
        // The entry exists: entries with attempts in flight are never replaced.
        guard let index = index(of: key) else { return .none }
        entries[index].inFlight -= 1
        entries[index].update(to: now, rule)
        return entries[index].fail(subject, at: now, rule)
    }

    /// Records that an attempt in flight has ended without a failure.
    /// - Parameter clearing: whether to reset the failures of the key.
    mutating func end(_ key: UInt64, clearing: Bool) {
        guard let index = index(of: key) else { return }
        entries[index].inFlight -= 1
        if clearing { entries[index].clear() }
    }

    /// Resets the failures of a key and its lock; attempts in flight stay.
    /// - Returns: whether it was locked.
    @discardableResult
    mutating func reset(_ key: UInt64, at now: Timestamp) -> Bool {
        guard let index = index(of: key) else { return false }
        let isLocked = entries[index].lockedUntil.map { $0 > now } ?? false
        entries[index].clear()
        return isLocked
    }

    /// Resets the failures and locks of all keys; attempts in flight stay.
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

    private mutating func allocateEntry(
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

    /// The locked keys, in no particular order.
    func locks(at now: Timestamp) -> [AttemptLock] {
        entries.compactMap { entry in
            guard let until = entry.lockedUntil, until > now else { return nil }
            return AttemptLock(key: entry.key, subject: entry.subject, until: until)
        }
    }

    /// Number of locked keys.
    func lockedCount(at now: Timestamp) -> Int {
        var count = 0
        for index in entries.indices {
            if let until = entries[index].lockedUntil, until > now { count += 1 }
        }
        return count
    }

    /// Bytes allocated.
    var memory: Int { entries.capacity * MemoryLayout<FailureWindow>.stride }
}

/// A key that is locked.
struct AttemptLock {
    let key: UInt64
    /// The subject that the failure that caused the lock was reported with.
    let subject: UInt128
    let until: Timestamp
}

/// The limit on failures, the window they are counted in, and the length of a lock.
struct AttemptRule {
    /// Failures that lock the key; at least 1.
    let limit: Int
    /// Attempts in flight at the same time; at least 1.
    var maximumInFlight = Int.max
    let window: TimeAmount
    let lockout: TimeAmount
}

/// The attempts under one key, counted in a sliding window.
///
/// At most eight timestamps are stored, each with a number of failures and the time of the last of
/// them. A limit of up to eight is therefore counted exactly. With a higher limit, up to an eighth
/// of the failures are counted slightly longer than the window.
struct FailureWindow {
    private static let maximumTimestamps = 8

    let key: UInt64
    /// Admitted attempts whose outcome is not known yet.
    var inFlight: UInt16 = 0
    /// Number of timestamps in use; 0 while locked.
    private var used: UInt8 = 0
    private var isLocked = false
    private var counts = InlineArray<8, UInt32>(repeating: 0)
    /// Timestamps in milliseconds. A lock needs none: while locked, the elements are the end of the
    /// lock and the two halves of its subject.
    private var times = InlineArray<8, Int64>(repeating: 0)

    init(key: UInt64) { self.key = key }

    var lockedUntil: Timestamp? { isLocked ? Timestamp(milliseconds: times[0]) : nil }

    /// Identifies the lock; meaningful only while locked.
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

    /// Failures within the window, as of the last `update`.
    var failures: Int {
        var sum = 0
        for index in 0..<Int(used) { sum += Int(counts[index]) }
        return sum
    }

    private var lastTime: Int64 { used > 0 ? times[Int(used) - 1] : .min }

    /// Removes expired failures and an expired lock. If the clock was set back, failures in the
    /// future count as of now. A lock ends no later than a new lock would, which also applies after
    /// the configured lockout was shortened.
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

    /// When the next attempt may be made; nil if now. Attempts in flight count as failed, because
    /// all of them may fail.
    func refusal(at now: Timestamp, _ rule: AttemptRule) -> Timestamp? {
        if let lockedUntil { return lockedUntil }
        let failures = failures
        if failures + Int(inFlight) < rule.limit, Int(inFlight) < rule.maximumInFlight {
            return nil
        }
        // After the limit was lowered, there can be too many failures without a lock.
        if failures >= rule.limit { return Timestamp(milliseconds: times[0]) + rule.window }
        return now + Self.retryDelay
    }

    /// The wait if attempts in flight use up the limit: their outcome is known soon.
    private static let retryDelay = TimeAmount.seconds(1)

    mutating func clear() {
        used = 0
        isLocked = false
    }

    /// Counts a failure, and locks at the limit. Does nothing while locked.
    mutating func fail(
        _ subject: UInt128, at now: Timestamp, _ rule: AttemptRule
    ) -> LoginThrottle.Failure.Count {
        guard !isLocked else {
            return LoginThrottle.Failure.Count(attempts: rule.limit, lockedUntil: nil)
        }
        let share = (rule.limit + Self.maximumTimestamps - 1) / Self.maximumTimestamps
        let last = Int(used) - 1
        if last >= 0, Int(counts[last]) < share || Int(used) == Self.maximumTimestamps {
            // Cannot overflow: a count that reaches the limit, which fits, locks the key.
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

    /// Whether this entry should be evicted before the other one.
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
