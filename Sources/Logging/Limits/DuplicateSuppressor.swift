import POSIX
import Time

/// Limits the lines of refusals in the log. For each kind of line, a second has at most 20 lines of
/// one network, 4 and 16 times as many of the larger networks around it, and 1,000 in total. The
/// others are counted, and a summary line a second reports how many of each kind there were. So a
/// client that is refused in a loop can neither fill the disk nor hide other events.
struct DuplicateSuppressor {
    /// Lines of one kind a second for one address or one user.
    private static let limit = 20
    private static let limitOfAll = 1000
    /// Networks and users that are counted in one second.
    private static let capacity = 8192

    private struct Window {
        var second = Int64.min
        var count = 0
    }

    private var windows = FixedTable(capacity: Self.capacity, empty: Window())
    private(set) var suppressed = SuppressedLines()

    /// Whether the line may be written. If so, it is counted in every window that it belongs to.
    mutating func admit(
        _ name: StaticString, _ source: LogSource, _ level: Level, _ area: Area, at now: Int64
    ) -> Bool {
        let kind = suppressed[suppressed.kind(name, source.reason, level, area)].hash
        let second = now / 1000
        var slots = InlineArray<5, Int>(repeating: 0)
        var count = 0
        func take(_ key: UInt64, _ limit: Int, _ windows: inout FixedTable<Window>) -> Bool {
            // If every slot is in use in this second, there are too many lines anyway.
            let slot = windows.slot(of: LogSource.hash(kind, key), Window()) {
                $0.second == second ? nil : $0.second
            }
            guard let slot else { return false }
            if windows[slot].second != second { windows[slot] = Window(second: second) }
            guard windows[slot].count < limit else { return false }
            slots[count] = slot
            count += 1
            return true
        }
        if let subject = source.subject {
            guard take(subject, 1, &windows) else { return false }
        } else {
            guard take(1, Self.limitOfAll, &windows) else { return false }
            if source.hasToken, let user = source.user {
                guard take(LogSource.hash(user, 3), Self.limit, &windows) else { return false }
            }
            for index in 0..<source.networkCount {
                let network = source.networks[index]
                guard take(network.hash, Self.limit * network.factor, &windows) else {
                    return false
                }
            }
        }
        for index in 0..<count { windows[slots[index]].count += 1 }
        return true
    }

    /// Counts a line that is not written.
    mutating func add(
        _ name: StaticString, _ source: LogSource, _ level: Level, _ area: Area, at now: Int64
    ) {
        let kind = suppressed.kind(name, source.reason, level, area)
        suppressed.add(kind, source, level, at: now)
    }

    /// The next summary of a kind whose second is over; nil if there is none.
    mutating func takeSummary(at now: Int64) -> LinesSuppressed? {
        suppressed.due { since, _ in since / 1000 != now / 1000 }
            .map { suppressed.take($0, at: now) }
    }

    /// The next summary, whether or not its second is over; for the stop of the log.
    mutating func takeLastSummary(at now: Int64) -> LinesSuppressed? {
        suppressed.due { _, _ in true }.map { suppressed.take($0, at: now) }
    }
}
