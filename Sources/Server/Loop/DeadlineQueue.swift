import Time

/// The deadlines of a worker's connections, at most one for each slot.
///
/// Each kind has one duration, so deadlines of a kind expire in the order in which they were set.
/// Each kind is a queue, a doubly linked list in arrays by slot. Setting, clearing and finding the
/// next deadline take constant time for any number of connections.
///  When a duration changes, deadlines that are already set do not change. To keep the order, a
/// deadline that is set after the duration was shortened expires no sooner than the last of those.
/// It is late by at most the difference, and only until the old deadlines have expired.
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

    /// - Parameter duration: Returns the duration of a kind.
    init(_ duration: (Kind) -> TimeAmount) { durations = Kind.allCases.map(duration) }

    /// Changes the durations of deadlines that are set from now on.
    mutating func change(_ duration: (Kind) -> TimeAmount) {
        durations = Kind.allCases.map(duration)
    }

    func kind(of slot: Int) -> Kind? { slot < entries.count ? entries[slot].kind : nil }

    /// Sets or replaces the slot's deadline: now plus the duration of its kind.
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

    /// The slot with the earliest deadline of this kind.
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

    /// Removes and returns a deadline that has expired; nil if there is none.
    mutating func removeExpired(now: MonotonicTime) -> (slot: Int, kind: Kind)? {
        for kind in Kind.allCases {
            guard let slot = first(kind), entries[slot].expires <= now else { continue }
            clear(slot)
            return (slot, kind)
        }
        return nil
    }
}
