import Time

/// The deadlines of a worker's connections, one at most for each slot.
///
/// Each kind has one duration, so that deadlines of a kind expire in the order in which they were
/// set: a queue for each kind, kept as a doubly linked list through arrays by slot. Setting, clearing
/// and finding the next one each take constant time, at any number of connections.
///
/// When a duration changes, deadlines that are set already keep theirs. To keep the order, one that is
/// set after it was shortened expires no sooner than the last of those: late at most by what the
/// duration was shortened by, and only until the old ones are gone.
struct DeadlineQueue {
    enum Kind: Int, CaseIterable { case head, body, idle, write, lingeringClose }

    private struct Entry {
        var kind: Kind?
        var expires = MonotonicTime.distantFuture
        var previous = -1
        var next = -1
    }

    private struct Ends {
        var first = -1
        var last = -1
    }

    private var durations: [TimeAmount]
    private var ends = [Ends](repeating: Ends(), count: Kind.allCases.count)
    private var entries: [Entry] = []

    /// - Parameter duration: of each kind.
    init(_ duration: (Kind) -> TimeAmount) { durations = Kind.allCases.map(duration) }

    /// Deadlines that are set from now on have these durations.
    mutating func change(_ duration: (Kind) -> TimeAmount) {
        durations = Kind.allCases.map(duration)
    }

    func kind(of slot: Int) -> Kind? { slot < entries.count ? entries[slot].kind : nil }

    /// Sets the slot's deadline anew, `duration` of its kind from now.
    mutating func set(_ slot: Int, _ kind: Kind, now: MonotonicTime) {
        while entries.count <= slot { entries.append(Entry()) }
        clear(slot)
        let last = ends[kind.rawValue].last
        var expires = now + durations[kind.rawValue]
        if last >= 0 { expires = max(expires, entries[last].expires) }
        entries[slot] = Entry(kind: kind, expires: expires, previous: last, next: -1)
        if last >= 0 { entries[last].next = slot } else { ends[kind.rawValue].first = slot }
        ends[kind.rawValue].last = slot
    }

    mutating func clear(_ slot: Int) {
        guard slot < entries.count, let kind = entries[slot].kind else { return }
        let (previous, next) = (entries[slot].previous, entries[slot].next)
        if previous >= 0 {
            entries[previous].next = next
        } else {
            ends[kind.rawValue].first = next
        }
        if next >= 0 {
            entries[next].previous = previous
        } else {
            ends[kind.rawValue].last = previous
        }
        entries[slot].kind = nil
    }

    /// The slot that has waited longest for a deadline of this kind.
    func first(_ kind: Kind) -> Int? {
        let slot = ends[kind.rawValue].first
        return slot >= 0 ? slot : nil
    }

    /// When the next deadline of this kind expires.
    func next(_ kind: Kind) -> MonotonicTime {
        first(kind).map { entries[$0].expires } ?? .distantFuture
    }

    /// When the next deadline expires.
    var next: MonotonicTime {
        var earliest = MonotonicTime.distantFuture
        for kind in Kind.allCases { earliest = min(earliest, next(kind)) }
        return earliest
    }

    /// Takes out a deadline that has expired.
    mutating func removeExpired(now: MonotonicTime) -> (slot: Int, kind: Kind)? {
        for kind in Kind.allCases {
            guard let slot = first(kind), entries[slot].expires <= now else { continue }
            clear(slot)
            return (slot, kind)
        }
        return nil
    }
}
