import HTTP
import JWT
import POSIX
import Time

/// The sessions that this process has started or refreshed, for operators. Informational only:
/// whether a token is valid does not depend on this list.
///  Kept in memory only. After a restart the list is empty, and an earlier session reappears when
/// it is refreshed.
package final class SessionList: Sendable {
    /// Maximum number of sessions; when the list is full, new ones are not added. About 30 MiB.
    private static let capacity = 100_000
    /// Maximum number of sessions of one user; a new one replaces the least recently seen.
    private static let perUser = 100

    package struct Session: Sendable {
        package let id: ShortText
        package let user: UserID
        package let started: Timestamp?
        package let ends: Timestamp
        /// When the session was started or last refreshed.
        package let seen: Timestamp
        package let client: ClientAddress
        /// Identifies the newest token; see `mark(of:)`.
        fileprivate let token: Int
    }

    private struct State {
        var sessions: [UserID: [Session]] = [:]
        var count = 0
        /// When `evictExpired` or `removeExpired` last ran.
        var lastRemoval = Timestamp(milliseconds: .min)
    }

    private let state = Monitor(State())
    private let capacity: Int

    package init(capacity: Int = SessionList.capacity) { self.capacity = capacity }

    /// Sessions in the list, including those that have expired but are not removed yet.
    package var count: Int { state.withLock { $0.count } }

    /// The user's sessions that have not expired, the most recently seen first.
    package func sessions(of user: UserID, at now: Timestamp) -> [Session] {
        state.withLock { $0.sessions[user] ?? [] }
            .filter { $0.ends > now }
            .sorted { $0.seen > $1.seen }
    }

    /// Adds a session, or updates it after a refresh.
    /// - Parameter isNew: the session has just started, so the list cannot contain it.
    func record(
        _ claims: Claims, from client: ClientAddress, at now: Timestamp, isNew: Bool = false
    ) {
        guard let id = claims.sessionID else { return }
        let session = Session(
            id: id, user: claims.user, started: claims.authenticated,
            ends: claims.sessionExpires ?? claims.expires, seen: now, client: client,
            token: Self.mark(of: claims.tokenID))
        state.withLock { state in
            if !isNew,
                let index = state.sessions[claims.user]?.firstIndex(where: { $0.id == id })
            {
                state.sessions[claims.user]![index] = session
                return
            }
            if state.sessions[claims.user]?.count ?? 0 >= Self.perUser {
                let oldest = Self.oldest(state.sessions[claims.user]!)
                state.sessions[claims.user]![oldest] = session
                return
            }
            if state.count >= capacity { Self.evictExpired(&state, now) }
            guard state.count < capacity else { return }
            state.sessions[claims.user, default: []].append(session)
            state.count += 1
        }
    }

    // MARK: What is known

    /// Whether the list has an unexpired session with this identifier.
    func isKnown(_ id: ShortText, at now: Timestamp) -> Bool {
        contains { $0.id == id && $0.ends > now }
    }

    /// Whether this is the newest token of an unexpired session in the list.
    func isKnown(token: ShortText, at now: Timestamp) -> Bool {
        let mark = Self.mark(of: token)
        return contains { $0.token == mark && $0.ends > now }
    }

    /// Scans all sessions: only for an operator's commands.
    private func contains(_ isWanted: (Session) -> Bool) -> Bool {
        state.withLock { $0.sessions.values.contains { $0.contains(where: isWanted) } }
    }

    /// A hash with a per-process seed: a tenth of the size of the identifier.
    private static func mark(of token: ShortText?) -> Int {
        var hasher = Hasher()
        if let token { for index in token.utf8.indices { hasher.combine(token.utf8[index]) } }
        return hasher.finalize()
    }

    private static func oldest(_ sessions: [Session]) -> Int {
        var oldest = 0
        for index in sessions.indices where sessions[index].seen < sessions[oldest].seen {
            oldest = index
        }
        return oldest
    }

    package func remove(_ id: ShortText, of user: UserID? = nil) {
        state.withLock { state in
            let users = user.map { [$0] } ?? Array(state.sessions.keys)
            for user in users { Self.filter(&state, user) { $0.id != id } }
        }
    }

    package func removeAll(of user: UserID) {
        state.withLock { state in Self.filter(&state, user) { _ in false } }
    }

    package func removeAll() { state.withLock { $0 = State() } }

    /// Removes expired sessions. The caller runs this periodically.
    package func removeExpired(at now: Timestamp) {
        state.withLock { state in
            state.lastRemoval = now
            for user in Array(state.sessions.keys) { Self.filter(&state, user) { $0.ends > now } }
        }
    }

    /// Removes expired sessions; at most once a second, because it scans all of them.
    private static func evictExpired(_ state: inout State, _ now: Timestamp) {
        guard state.lastRemoval.seconds != now.seconds else { return }
        state.lastRemoval = now
        for user in Array(state.sessions.keys) { filter(&state, user) { $0.ends > now } }
    }

    private static func filter(
        _ state: inout State, _ user: UserID, _ isKept: (Session) -> Bool
    ) {
        guard let before = state.sessions[user] else { return }
        let after = before.filter(isKept)
        state.count -= before.count - after.count
        state.sessions[user] = after.isEmpty ? nil : after
    }
}
