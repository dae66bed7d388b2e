import JWT
import POSIX
import Revocation
import Time

extension Revocations {
    /// What stands against a token whose claims are complete.
    package func status(for claims: Claims) -> RevocationStatus? {
        let began = sessionStart(claims)
        guard let token = claims.tokenID, let session = claims.sessionID else {
            return finding(token: nil, session: nil, user: claims.user.rawValue, began: began)
        }
        return finding(
            token: token.utf8, session: session.utf8, user: claims.user.rawValue, began: began)
    }

    /// When the session of a token began, for comparison with cutoffs.
    ///
    /// A login right after a cutoff gets a session that begins 1 ms after it (`TokenIssuer.issue`), and
    /// so later than its tokens say that they were issued. Any other token that says so contradicts
    /// itself, and the earlier moment counts: `iat` is never past the clock and its leeway.
    private func sessionStart(_ claims: Claims) -> Timestamp? {
        guard let login = claims.authenticated, let issued = claims.issued, login > issued,
            let cutoff = cutoff(user: claims.user.rawValue),
            login == cutoff + TimeAmount(milliseconds: 1)
        else { return claims.sessionStart }
        return login
    }

    /// Takes note of a token that came, of a session that began ahead of our clock: what is ended by
    /// time from now on has to reach it. Not of one that is so far ahead that every cutoff covers it.
    func observeSessionStart(_ began: Timestamp, at now: Timestamp) {
        if began <= now + TokenPolicy.maximumLeeway { noteSessionStart(began) }
    }

    /// Takes note of a session that begins here: should the clock be put back, a cutoff still reaches it.
    func observeSessionStart(of claims: Claims) {
        if let login = claims.authenticated { noteSessionStart(login) }
    }

    /// Ends a session, for all its tokens. Returns when it is on the disk.
    func revoke(_ session: ShortText, of claims: Claims, at now: Timestamp) throws(Errno) {
        try revoke([.session(session.bytes)], at: now, until: claims.sessionEnd(after: now))
    }

    /// The same without waiting for the disk.
    /// - Throws: why there was no room, and it goes on.
    func revokeAsync(
        _ session: ShortText, of claims: Claims, at now: Timestamp,
        failed: @escaping @Sendable (Errno) -> Void
    ) throws(Errno) {
        try revokeSoon(
            [.session(session.bytes)], at: now, until: claims.sessionEnd(after: now),
            failed: failed)
    }

    /// Ends all sessions of a user: every token that would be accepted at this moment.
    /// - Parameter leeway: how far ahead of the clock a token may have been issued and be accepted.
    func revokeAll(of user: UserID, at now: Timestamp, leeway: TimeAmount) throws(Errno) {
        let cutoff = next(after: cutoff(user: user.rawValue), now, leeway)
        try revoke([.user(user.rawValue)], at: cutoff, until: cutoff + Self.longest)
    }

    /// The same for all users.
    func revokeEveryone(at now: Timestamp, leeway: TimeAmount) throws(Errno) {
        // No user has the id 0: what is left is the cutoff for all.
        let cutoff = next(after: cutoff(user: 0), now, leeway)
        try revoke([.everyone], at: cutoff, until: cutoff + Self.longest)
    }

    /// A session that begins right after a cutoff begins a millisecond behind it (`TokenIssuer.issue`),
    /// be that in the future, because a clock was wrong. The next cutoff has to reach it.
    private func next(
        after cutoff: Timestamp?, _ now: Timestamp, _ leeway: TimeAmount
    ) -> Timestamp {
        // Another issuer's clock may be ahead of ours by the leeway, and our own may have been put back
        // since sessions began.
        let latest = max(now + leeway, latestBeginning ?? now)
        guard let cutoff, cutoff >= latest else { return latest }
        return cutoff + TimeAmount(milliseconds: 1)
    }

    /// What is revoked by time is remembered for longer than any token that was made before is good.
    /// A token from elsewhere may have no session and be good for years.
    static let longest = TimeAmount.seconds(10 * 366 * 86_400)
}

extension Claims {
    /// When the session of the token began, as far as it says; what is revoked by time goes by this.
    /// A session does not begin after its token was issued: of both moments the earlier one counts.
    var sessionStart: Timestamp? {
        guard let authenticated, let issued else { return authenticated ?? issued }
        return min(authenticated, issued)
    }

    /// From when on no token of the session is good.
    func sessionEnd(after now: Timestamp) -> Timestamp {
        guard let sessionExpires else { return now + Revocations.longest }
        return max(sessionExpires, expires) + TokenPolicy.maximumLeeway
    }
}

extension ShortText {
    package var bytes: [UInt8] { utf8.indices.map { utf8[$0] } }
}
