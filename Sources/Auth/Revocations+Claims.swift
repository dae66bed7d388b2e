import JWT
import POSIX
import Revocation
import Time

extension Revocations {
    /// What stands against a token whose claims are complete.
    package func finding(for claims: Claims, at now: Timestamp) -> Finding? {
        var began = claims.began
        // A token from elsewhere whose session has yet to begin does not say when it did. (One of ours may
        // be that far ahead: our clock was put back.)
        let latest = now + TokenPolicy.maximumLeeway
        if let moment = began, moment > latest, claims.isItsOwnSession { began = nil }
        guard let token = claims.tokenID, let session = claims.sessionID else {
            return finding(token: nil, session: nil, user: claims.user.number, began: began)
        }
        return finding(
            token: token.utf8, session: session.utf8, user: claims.user.number, began: began)
    }

    /// Takes note of a token that came, of a session that began ahead of our clock: what is ended by
    /// time from now on has to reach it. Not of one that is so far ahead that every cutoff covers it.
    func noteBeginning(_ began: Timestamp, at now: Timestamp) {
        if began <= now + TokenPolicy.maximumLeeway { noteBeginning(began) }
    }

    /// Ends a session, for all its tokens. Returns when it is on the disk.
    func end(_ session: ShortText, of claims: Claims, at now: Timestamp) throws(Errno) {
        try revoke([.session(session.bytes)], at: now, until: claims.sessionIsOver(after: now))
    }

    /// The same without waiting for the disk.
    /// - Throws: why there was no room, and it goes on.
    func endSoon(
        _ session: ShortText, of claims: Claims, at now: Timestamp,
        failed: @escaping @Sendable (Errno) -> Void
    ) throws(Errno) {
        try revokeSoon(
            [.session(session.bytes)], at: now, until: claims.sessionIsOver(after: now),
            failed: failed)
    }

    /// Ends all sessions of a user that have begun until now.
    func endAll(of user: UserID, at now: Timestamp) throws(Errno) {
        let cutoff = next(after: cutoff(user: user.number), now)
        try revoke([.user(user.number)], at: cutoff, until: cutoff + Self.longest)
    }

    /// Ends everybody's.
    func endEverything(at now: Timestamp) throws(Errno) {
        // Nobody is user 0: what is left is everybody's cutoff.
        let cutoff = next(after: cutoff(user: 0), now)
        try revoke([.everyone], at: cutoff, until: cutoff + Self.longest)
    }

    /// A session that begins right after a cutoff begins a millisecond behind it (`TokenIssuer.issue`),
    /// be that in the future, because a clock was wrong. The next cutoff has to reach it.
    private func next(after cutoff: Timestamp?, _ now: Timestamp) -> Timestamp {
        // Another issuer's clock may be ahead of ours, and with it the sessions that began there.
        let now = max(now, latestBeginning ?? now)
        guard let cutoff, cutoff >= now else { return now }
        return cutoff + Milliseconds(1)
    }

    /// What is revoked by time is remembered for longer than any token that was made before is good.
    /// A token from elsewhere may have no session and be good for years.
    static let longest = Milliseconds.seconds(10 * 366 * 86_400)
}

extension Claims {
    /// When the session of the token began, as far as it says; what is revoked by time goes by this.
    var began: Timestamp? { authenticated ?? issued }

    /// From when on no token of the session is good.
    func sessionIsOver(after now: Timestamp) -> Timestamp {
        guard let sessionExpires else { return now + Revocations.longest }
        return max(sessionExpires, expires) + TokenPolicy.maximumLeeway
    }
}

extension ShortText {
    package var bytes: [UInt8] { utf8.indices.map { utf8[$0] } }
}
