import JWT
import POSIX
import Revocation
import Time

extension Revocations {
    /// Whether a token is revoked or was exchanged; nil if neither.
    /// - Parameter claims: with `jti` and `sid`, as `TokenIdentity.fillingIdentifiers` returns
    ///   them. Without both, only the cutoffs of the user and of all users are compared.
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
    /// A login right after a cutoff gets a session that begins 1 ms after the cutoff
    /// (`TokenIssuer.issue`), which is later than the `iat` of its tokens. In any other token,
    /// `auth_time` after `iat` is a contradiction, and the earlier time counts: `iat` never exceeds
    /// the clock plus the leeway.
    private func sessionStart(_ claims: Claims) -> Timestamp? {
        guard let login = claims.authenticated, let issued = claims.issued, login > issued,
            let cutoff = cutoff(user: claims.user.rawValue),
            login == cutoff + TimeAmount(milliseconds: 1)
        else { return claims.sessionStart }
        return login
    }

    /// Remembers the session start of a presented token that is ahead of our clock, so that later
    /// cutoffs cover it. Ignores a start more than `TokenPolicy.maximumLeeway` ahead, which no
    /// accepted token has.
    func observeSessionStart(_ began: Timestamp, at now: Timestamp) {
        if began <= now + TokenPolicy.maximumLeeway { noteSessionStart(began) }
    }

    /// Remembers the start of a session that begins here: if the clock is set back, later cutoffs
    /// still cover it.
    func observeSessionStart(of claims: Claims) {
        if let login = claims.authenticated { noteSessionStart(login) }
    }

    /// Revokes a session and all its tokens. Returns when the revocation is on disk.
    /// - Throws: `noBufferSpace` if the table is full; any other error if it cannot be written, in
    ///   which case it is in force all the same.
    func revoke(_ session: ShortText, of claims: Claims, at now: Timestamp) throws(Errno) {
        try revoke([.session(session.bytes)], at: now, until: claims.sessionEnd(after: now))
    }

    /// Revokes a session without waiting for the disk.
    /// - Parameter failed: called if the revocation cannot be written.
    /// - Throws: `noBufferSpace` if the table is full and the session is not revoked.
    func revokeAsync(
        _ session: ShortText, of claims: Claims, at now: Timestamp,
        failed: @escaping @Sendable (Errno) -> Void
    ) throws(Errno) {
        try revokeSoon(
            [.session(session.bytes)], at: now, until: claims.sessionEnd(after: now),
            failed: failed)
    }

    /// Revokes all sessions of a user: every token that would be accepted at `now`. Returns when
    /// the revocation is on disk.
    /// - Parameter leeway: how far ahead of our clock the `iat` of an accepted token may be.
    /// - Throws: as `revoke(_:of:at:)`.
    func revokeAll(of user: UserID, at now: Timestamp, leeway: TimeAmount) throws(Errno) {
        let cutoff = next(after: cutoff(user: user.rawValue), now, leeway)
        try revoke([.user(user.rawValue)], at: cutoff, until: cutoff + Self.longest)
    }

    /// Revokes the sessions of all users; see `revokeAll(of:at:leeway:)`.
    func revokeEveryone(at now: Timestamp, leeway: TimeAmount) throws(Errno) {
        // No user has the id 0, so this returns the cutoff for all users.
        let cutoff = next(after: cutoff(user: 0), now, leeway)
        try revoke([.everyone], at: cutoff, until: cutoff + Self.longest)
    }

    /// The time of the next cutoff. A session may have begun 1 ms after the previous cutoff
    /// (`TokenIssuer.issue`), and the new cutoff must cover it, even if the previous cutoff is in
    /// the future because a clock was wrong.
    private func next(
        after cutoff: Timestamp?, _ now: Timestamp, _ leeway: TimeAmount
    ) -> Timestamp {
        // Another issuer's clock may be ahead of ours by the leeway, and our clock may have been
        // set back since sessions began.
        let latest = max(now + leeway, latestSessionStart ?? now)
        guard let cutoff, cutoff >= latest else { return latest }
        return cutoff + TimeAmount(milliseconds: 1)
    }

    /// How long to remember a cutoff, or the revocation of a token whose expiry is unknown: longer
    /// than any token that it covers is valid. A token of another issuer may have no session and be
    /// valid for years.
    static let longest = TimeAmount.seconds(10 * 366 * 86_400)
}

extension Claims {
    /// When the session of the token began, as far as the claims say; compared with cutoffs. A
    /// session cannot begin after its token was issued, so the earlier of both times counts.
    var sessionStart: Timestamp? {
        guard let authenticated, let issued else { return authenticated ?? issued }
        return min(authenticated, issued)
    }

    /// From this time on no token of the session is valid.
    func sessionEnd(after now: Timestamp) -> Timestamp {
        guard let sessionExpires else { return now + Revocations.longest }
        return max(sessionExpires, expires) + TokenPolicy.maximumLeeway
    }
}

extension ShortText {
    package var bytes: [UInt8] { utf8.indices.map { utf8[$0] } }
}
