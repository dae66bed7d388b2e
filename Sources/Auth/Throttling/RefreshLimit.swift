import POSIX
import Time

/// Keeps a session from being renewed in a loop: each renewal leaves an entry in the table of exchanged
/// tokens until the old token's end, and a client in a loop would fill it.
///
/// Counts by session in a table of fixed size, in which a session has eight places that it may take. A
/// place belongs to one session, so nobody is refused for what another one did. Where all eight are taken
/// the one with the fewest renewals is given away: a session may be counted anew, and so be refused later
/// than alone, but one in a loop keeps its place before those that are not.
package final class RefreshLimit: Sendable {
    /// Renewals of a session in a window. Clients renew once a token's lifetime; this is for tests, tabs and
    /// retries.
    package static let ofSession: UInt32 = 600
    /// Those of a user, all sessions together, while the table of exchanged tokens is filling up: or else
    /// one account with many sessions could fill it for everybody.
    package static let perUserUnderPressure: UInt32 = 60
    private static let window = TimeAmount.seconds(60)
    private static let places = 4096
    private static let ways = 8

    private struct Count {
        /// A hash of it under this process's key; two sessions with one hash are not to be expected.
        var session = 0
        var windowEnds = Timestamp(milliseconds: .min)
        var count: UInt32 = 0

        /// A clock that went back ends a window, too.
        func isOver(at now: Timestamp) -> Bool {
            now >= windowEnds || windowEnds.milliseconds > (now + RefreshLimit.window).milliseconds
        }
    }

    private let counts = Monitor([Count](repeating: Count(), count: RefreshLimit.places))

    private let maximum: UInt32

    package init(_ maximum: UInt32 = ofSession) { self.maximum = maximum }

    /// The same for all sessions of a user.
    func wait(beforeRefreshingAnyOf user: Int64, at now: Timestamp) -> TimeAmount? {
        var bytes = InlineArray<8, UInt8>(repeating: 0)
        for index in bytes.indices {
            bytes[index] = UInt8(truncatingIfNeeded: user >> Int64(8 * index))
        }
        return wait(beforeRefreshing: bytes.span, at: now)
    }

    /// Counts a renewal.
    /// - Returns: nil if it may go on, else the time until the next one may.
    func wait(beforeRefreshing session: Span<UInt8>, at now: Timestamp) -> TimeAmount? {
        // Seeded for each process: nobody can choose whose places to take.
        var hasher = Hasher()
        for index in session.indices { hasher.combine(session[index]) }
        let hash = hasher.finalize()
        let first = Int(UInt(bitPattern: hash) % UInt(Self.places / Self.ways)) * Self.ways
        return counts.withLock { counts in
            var (place, fewest) = (first, UInt32.max)
            for index in first..<(first + Self.ways) {
                if counts[index].session == hash {
                    place = index
                    break
                }
                let count = counts[index].isOver(at: now) ? 0 : counts[index].count
                if count < fewest { (place, fewest) = (index, count) }
            }
            if counts[place].session != hash || counts[place].isOver(at: now) {
                counts[place] = Count(session: hash, windowEnds: now + Self.window)
            }
            guard counts[place].count < maximum else {
                return TimeAmount(
                    milliseconds: counts[place].windowEnds.milliseconds - now.milliseconds)
            }
            counts[place].count += 1
            return nil
        }
    }
}
