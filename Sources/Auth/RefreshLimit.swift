import POSIX
import Time

/// Keeps a session from being renewed in a loop: each renewal leaves an entry in the table of exchanged
/// tokens until the old token's end, and a client in a loop would fill it.
///
/// Counts by session in a table of fixed size. Two sessions whose places fall together share a count, so
/// that a session may be refused earlier than alone, and never later.
package final class RefreshLimit: Sendable {
    /// Renewals in a window. Clients renew once a token's lifetime; this is for tests, tabs and retries.
    private static let maximum: UInt32 = 600
    private static let window = Milliseconds.seconds(60)
    private static let places = 4096

    private struct Count {
        var windowEnds = Timestamp(milliseconds: .min)
        var count: UInt32 = 0
    }

    private let counts = Locked([Count](repeating: Count(), count: RefreshLimit.places))

    package init() {}

    /// Counts a renewal.
    /// - Returns: nil if it may go on, else the time until the next one may.
    func wait(beforeRefreshing session: Span<UInt8>, at now: Timestamp) -> Milliseconds? {
        // Seeded for each process: nobody can choose whom to share a place with.
        var hasher = Hasher()
        for index in session.indices { hasher.combine(session[index]) }
        let place = Int(UInt(bitPattern: hasher.finalize()) % UInt(Self.places))
        return counts.withLock { counts in
            // A clock that went back begins a new window.
            if now >= counts[place].windowEnds
                || counts[place].windowEnds.milliseconds > (now + Self.window).milliseconds
            {
                counts[place] = Count(windowEnds: now + Self.window)
            }
            guard counts[place].count < Self.maximum else {
                return Milliseconds(counts[place].windowEnds.milliseconds - now.milliseconds)
            }
            counts[place].count += 1
            return nil
        }
    }
}
