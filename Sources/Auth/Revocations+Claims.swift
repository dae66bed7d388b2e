import JWT
import POSIX
import Revocation
import Time

extension Revocations {
    /// What stands against a token whose claims are complete.
    package func finding(for claims: Claims) -> Finding? {
        guard let token = claims.tokenID, let session = claims.sessionID else {
            return finding(
                token: nil, session: nil, user: claims.user.number, began: claims.began)
        }
        return finding(
            token: token.utf8, session: session.utf8, user: claims.user.number,
            began: claims.began)
    }

    /// Ends a session, for all its tokens. Returns when it is on the disk.
    func end(_ session: ShortText, of claims: Claims, at now: Timestamp) throws(Errno) {
        try revoke(
            [.session(session.bytes)], at: now,
            until: (claims.sessionExpires ?? claims.expires) + TokenPolicy.maximumLeeway)
    }

    /// Ends all sessions of a user that have begun until now.
    func endAll(of user: UserID, at now: Timestamp) throws(Errno) {
        try revoke([.user(user.number)], at: now, until: now + Self.longest)
    }

    /// What is revoked by time is remembered for longer than any token that was made before is good.
    /// A token from elsewhere may have no session and be good for years.
    static let longest = Milliseconds.seconds(10 * 366 * 86_400)
}

extension Claims {
    /// When the session of the token began, as far as it says; what is revoked by time goes by this.
    var began: Timestamp? { authenticated ?? issued }
}

extension ShortText {
    package var bytes: [UInt8] { utf8.indices.map { utf8[$0] } }
}
