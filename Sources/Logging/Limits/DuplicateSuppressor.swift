import POSIX
import Time

/// Which lines of refusals the log gets. Twenty of a kind a second are written for each network, four
/// and sixteen times as many for the larger networks around it, and 1,000 for all together; the rest is
/// counted, and one line a second for each kind says how many there were. So a client that is refused
/// in a loop cannot fill the disk, nor bury what else happens.
struct DuplicateSuppressor {
    /// Lines of one kind and address in a second; the same for one user.
    private static let limit = 20
    private static let limitOfAll = 1000
    /// Networks and users that are watched in one second.
    private static let capacity = 8192

    private struct Window {
        var second = Int64.min
        var count = 0
    }

    private var windows = FixedTable(capacity: Self.capacity, empty: Window())
    private(set) var suppressed = SuppressedLines()

    /// Whether the line may be written.
    mutating func admit(
        _ name: StaticString, _ source: LogSource, _ level: Level, _ area: Area, at now: Int64
    ) -> Bool {
        let kind = suppressed[suppressed.kind(name, source.reason, level, area)].hash
        let second = now / 1000
        var places = InlineArray<5, Int>(repeating: 0)
        var count = 0
        func take(_ key: UInt64, _ limit: Int, _ windows: inout FixedTable<Window>) -> Bool {
            // Where all places are in use in this second there are too many lines anyway.
            let place = windows.place(of: LogSource.hash(kind, key), Window()) {
                $0.second == second ? nil : $0.second
            }
            guard let place else { return false }
            if windows[place].second != second { windows[place] = Window(second: second) }
            guard windows[place].count < limit else { return false }
            places[count] = place
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
        for index in 0..<count { windows[places[index]].count += 1 }
        return true
    }

    mutating func add(
        _ name: StaticString, _ source: LogSource, _ level: Level, _ area: Area, at now: Int64
    ) {
        let kind = suppressed.kind(name, source.reason, level, area)
        suppressed.add(kind, source, level, at: now)
    }

    /// The summary of a kind whose second is over; nil if there is none left.
    mutating func takeSummary(at now: Int64) -> LinesSuppressed? {
        suppressed.due { since, _ in since / 1000 != now / 1000 }
            .map { suppressed.take($0, at: now) }
    }

    /// A summary whether or not its second is over, because nothing comes after it.
    mutating func takeLastSummary(at now: Int64) -> LinesSuppressed? {
        suppressed.due { _, _ in true }.map { suppressed.take($0, at: now) }
    }
}
