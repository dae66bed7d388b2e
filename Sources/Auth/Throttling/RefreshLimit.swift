import POSIX
import Time

/// Limits refreshes per session. Each refresh adds an entry to the table of exchanged tokens, which
/// stays until the old token expires; a client in a loop would fill that table.
///
/// Counts are in a set-associative table of fixed size, with eight possible entries per session. An
/// entry belongs to one session, so no session is refused because of another one. If all eight are
/// in use, the entry with the fewest refreshes is replaced. A session can thereby lose its count
/// and get more refreshes than the limit, but a session in a loop has the highest count and keeps
/// its entry.
package final class RefreshLimit: Sendable {
    /// Refreshes per session in a window. A client refreshes once per token lifetime; the rest is
    /// for tests, tabs and retries.
    package static let ofSession: UInt32 = 600
    /// Refreshes per user, all sessions together, while the table of exchanged tokens is filling
    /// up: otherwise one account with many sessions could fill it for all users.
    package static let perUserUnderPressure: UInt32 = 60
    private static let window = TimeAmount.seconds(60)
    private static let entryCount = 4096
    private static let ways = 8

    private struct Count {
        /// A hash of the session's id with a per-process seed; collisions are not expected.
        var session = 0
        var windowEnds = Timestamp(milliseconds: .min)
        var count: UInt32 = 0

        /// Also true after the clock was set back.
        func isOver(at now: Timestamp) -> Bool {
            now >= windowEnds || windowEnds.milliseconds > (now + RefreshLimit.window).milliseconds
        }
    }

    private let counts = Monitor([Count](repeating: Count(), count: RefreshLimit.entryCount))

    private let maximum: UInt32

    package init(_ maximum: UInt32 = ofSession) { self.maximum = maximum }

    /// Counts a refresh of any session of a user; see `wait(beforeRefreshing:at:)`.
    func wait(beforeRefreshingAnyOf user: Int64, at now: Timestamp) -> TimeAmount? {
        var bytes = InlineArray<8, UInt8>(repeating: 0)
        for index in bytes.indices {
            bytes[index] = UInt8(truncatingIfNeeded: user >> Int64(8 * index))
        }
        return wait(beforeRefreshing: bytes.span, at: now)
    }

    /// Counts a refresh.
    /// - Returns: nil if the refresh is allowed, else the time until the next one is.
    func wait(beforeRefreshing session: Span<UInt8>, at now: Timestamp) -> TimeAmount? {
        // Hashed with a per-process seed, so that a client cannot choose which entries it occupies.
        var hasher = Hasher()
        for index in session.indices { hasher.combine(session[index]) }
        let hash = hasher.finalize()
        let first = Int(UInt(bitPattern: hash) % UInt(Self.entryCount / Self.ways)) * Self.ways
        return counts.withLock { counts in
            var (chosen, fewest) = (first, UInt32.max)
            for index in first..<(first + Self.ways) {
                if counts[index].session == hash {
                    chosen = index
                    break
                }
                let count = counts[index].isOver(at: now) ? 0 : counts[index].count
                if count < fewest { (chosen, fewest) = (index, count) }
            }
            if counts[chosen].session != hash || counts[chosen].isOver(at: now) {
                counts[chosen] = Count(session: hash, windowEnds: now + Self.window)
            }
            guard counts[chosen].count < maximum else {
                return TimeAmount(
                    milliseconds: counts[chosen].windowEnds.milliseconds - now.milliseconds)
            }
            counts[chosen].count += 1
            return nil
        }
    }
}
