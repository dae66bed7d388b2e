import Auth
import JWT
import Testing
import Time

struct TokenIssuerTests {
    private static let tokens: HS256 = {
        let secret = AuthFixture.secret
        let entry = KeyRing.Entry(id: "2026-11", secret: secret.span)!
        return HS256(keys: KeyRing([entry])!, policy: TokenPolicy(leeway: .seconds(0)))
    }()

    private func issuer(_ lifetime: Int64, _ session: Int64) -> TokenIssuer {
        TokenIssuer(
            Self.tokens, lifetime: .seconds(lifetime), sessionLifetime: .seconds(session))
    }

    @Test func `the issuer names the key that it signs with`() {
        #expect(issuer(1, 1).keyID == "2026-11")
    }

    @Test func `a token has the claims that are returned with it`() throws {
        let (token, claims) = issuer(1800, 43200).issue(for: UserID(7)!, at: AuthFixture.now)
        #expect(try Self.tokens.verify(token.span, at: AuthFixture.now) == claims)
        #expect(claims.user == UserID(7)!)
        let start = Timestamp(seconds: 1_795_244_400)
        #expect(claims.issued == start)
        #expect(claims.notBefore == start)
        #expect(claims.authenticated == start)
        #expect(claims.expires == start + .seconds(1800))
        #expect(claims.sessionExpires == start + .seconds(43200))
    }

    @Test(
        arguments: [
            (1800, 43200, 1800), (43200, 1800, 1800), (60, 60, 60), (61, 60, 60), (59, 60, 59),
            (1, 1, 1),
        ] as [(Int64, Int64, Int64)])
    func `no token outlives its session`(lifetime: Int64, session: Int64, effective: Int64) throws {
        let issuer = issuer(lifetime, session)
        #expect(issuer.lifetime == .seconds(effective))
        #expect(issuer.sessionLifetime == .seconds(session))
        let (token, claims) = issuer.issue(for: UserID(1)!, at: AuthFixture.now)
        #expect(claims.expires == Timestamp(seconds: 1_795_244_400 + effective))
        #expect(claims.expires <= (try #require(claims.sessionExpires)))
        // Valid from now on, to the last millisecond before its expiry.
        let last = Timestamp(milliseconds: claims.expires.milliseconds - 1)
        #expect(throws: Never.self) { try Self.tokens.verify(token.span, at: AuthFixture.now) }
        #expect(throws: Never.self) { try Self.tokens.verify(token.span, at: last) }
        #expect(throws: TokenError.expired(claims)) {
            try Self.tokens.verify(token.span, at: claims.expires)
        }
    }

    @Test func `extreme lifetimes do not trap`() {
        let claims = issuer(.max, .max).issue(for: UserID(1)!, at: AuthFixture.now).claims
        #expect(claims.expires == Timestamp(milliseconds: .max))
    }
}
