import Crypto
import JSON
import JWT
import Time

/// The bytes are a token. After an `s` they are a header, a line feed and a payload, which are
/// encoded and signed with the first key: random bytes would never have a valid signature.
enum TokenProperties {
    private static let ring = KeyRing(["a", "b"].map(entry))!
    private static let plain = HS256(
        keys: ring, policy: TokenPolicy(leeway: .seconds(0)))
    private static let strict = HS256(
        keys: ring,
        policy: TokenPolicy(
            issuer: "i", audience: "u", leeway: .seconds(5), requiresSession: true))
    /// 2027-01-15T08:00:00Z
    private static let now = Timestamp(seconds: 1_800_000_000)

    private static func entry(_ id: String) -> KeyRing.Entry {
        let secret = Array("the secret of key \(id), 32 bytes up".utf8)
        return KeyRing.Entry(id: id, secret: secret.span)!
    }

    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        let isSigned = bytes.first == UInt8(ascii: "s")
        let token = isSigned ? signed(bytes.dropFirst()) : bytes
        for verifier in [plain, strict] {
            let outcome = outcome(of: token, verifier)
            // These results are possible only after the signature was verified.
            let isVerified =
                switch outcome {
                case .success, .failure(.claims): true
                case .failure(let error): error.claims != nil
                }
            guard isVerified else { continue }
            let parts = try checkForm(token)
            try checkHeader(parts.header)
            if case .success(let claims) = outcome {
                try checkPayload(parts.payload, claims, verifier)
                try checkSignedAgain(claims)
            }
            try checkChangedToken(token, verifier)
        }
    }

    private static func signed(_ input: ArraySlice<UInt8>) -> [UInt8] {
        let parts = input.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
        let header = Array(parts.first ?? [])
        let payload = parts.count > 1 ? Array(parts[1]) : []
        let text = Base64URL.encoded(header.span) + [0x2E] + Base64URL.encoded(payload.span)
        let code = HMACSHA256.code(for: text.span, key: ring.entries[0].key)
        return text + [0x2E] + Base64URL.encoded(code.span)
    }

    private static func outcome(
        of token: [UInt8], _ verifier: HS256
    ) -> Result<Claims, TokenError> {
        Result { () throws(TokenError) in try verifier.verify(token.span, at: now) }
    }

    /// There are three canonical segments, and the last one is the MAC of the others.
    private static func checkForm(
        _ token: [UInt8]
    ) throws(PropertyFailure) -> (header: [UInt8], payload: [UInt8]) {
        let segments = token.split(separator: 0x2E, omittingEmptySubsequences: false).map(
            Array.init)
        try require(segments.count == 3, "\(segments.count) segments")
        var decoded: [[UInt8]] = []
        for segment in segments {
            guard let bytes = try? Base64URL.decoded(segment.span) else {
                throw PropertyFailure("a segment is not base64url")
            }
            try require(Base64URL.encoded(bytes.span) == segment, "a segment is not canonical")
            decoded.append(bytes)
        }
        let text = segments[0] + [0x2E] + segments[1]
        let codes = ring.entries.map { entry in
            let code = HMACSHA256.code(for: text.span, key: entry.key)
            return Array(copying: code.span)
        }
        try require(codes.contains(decoded[2]), "the signature is not the MAC")
        return (decoded[0], decoded[1])
    }

    private static func checkHeader(_ header: [UInt8]) throws(PropertyFailure) {
        guard let members = try members(header) else { return }
        try require(members["alg"] == .string("HS256"), "another alg")
        try require(members["crit"] == nil, "crit")
        if let id = members["kid"] {
            try require(id == .string("a") || id == .string("b"), "an unknown key")
        }
    }

    private static func checkPayload(
        _ payload: [UInt8], _ claims: Claims, _ verifier: HS256
    ) throws(PropertyFailure) {
        guard let members = try members(payload) else { return }
        guard let expires = try date("exp", members) else { throw PropertyFailure("without exp") }
        try require(claims.expires == expires, "another exp")
        try require(now < expires + verifier.policy.leeway, "expired")
        try require(try claims.notBefore == date("nbf", members), "another nbf")
        try require(
            claims.notBefore.map { $0 <= now + verifier.policy.leeway } ?? true, "not yet valid")
        try require(try claims.issued == date("iat", members), "another iat")
        try require(try claims.sessionExpires == date("sxp", members), "another sxp")
        if let user = members["user_id"] {
            try require(user == .number(.integer(claims.user.rawValue)), "another user_id")
        }
        if let subject = members["sub"], members["user_id"] == nil {
            try require(subject == .string("\(claims.user.rawValue)"), "another sub")
        }
        try require(members["user_id"] != nil || members["sub"] != nil, "no user")
        try require(claims.tokenID.map(text) == string("jti", members), "another jti")
        try require(claims.sessionID.map(text) == string("sid", members), "another sid")
        if verifier.policy.issuer != nil {
            try require(members["iss"] == .string("i"), "another issuer")
            let audience = members["aud"]
            let isOurs =
                if case .array(let all) = audience { all.contains(.string("u")) } else {
                    audience == .string("u")
                }
            try require(isOurs, "another audience")
            try require(claims.sessionID != nil && claims.sessionExpires != nil, "no session")
        }
    }

    /// Claims that are signed again are verified as the same claims.
    private static func checkSignedAgain(_ claims: Claims) throws(PropertyFailure) {
        let dates = [
            claims.expires, claims.issued, claims.notBefore, claims.authenticated,
            claims.sessionExpires,
        ]
        // Above 2^52 milliseconds a fraction of a second is not exact in JSON.
        guard dates.allSatisfy({ ($0?.milliseconds.magnitude ?? 0) < 1 << 52 }) else { return }
        let token = plain.sign(claims)
        var expected = claims
        expected.keyIndex = 0
        try require(
            token.count > HS256.maximumLength || outcome(of: token, plain) == .success(expected),
            "signed again, it has other claims: \(token.shown)")
    }

    /// With any one character changed, the signature is not valid.
    private static func checkChangedToken(_ token: [UInt8], _ verifier: HS256)
        throws(PropertyFailure)
    {
        let choice = token.choice
        var changed = token
        let index = Int(choice % UInt64(token.count))
        let alphabet = Array("ABCDwxyz0189-_.=+ ".utf8)
        changed[index] = alphabet[Int(choice >> 32) % alphabet.count]
        guard changed != token else { return }
        let isVerified =
            switch outcome(of: changed, verifier) {
            case .success, .failure(.claims): true
            case .failure(let error): error.claims != nil
            }
        try require(!isVerified, "a changed token is verified: \(changed.shown)")
    }

    // MARK: Members

    /// The members of an object. Nil if an unread member has a number out of range: the verifier
    /// skips such a member, but this parser does not.
    private static func members(_ text: [UInt8]) throws(PropertyFailure) -> [String: JSONValue]? {
        let root: JSONValue
        do throws(JSONError) {
            root = try JSONValue(parsing: text.span)
        } catch {
            try require(error.reason == .numberOutOfRange, "verified, but not JSON: \(text.shown)")
            return nil
        }
        guard case .object(let members) = root else {
            throw PropertyFailure("verified, but not an object: \(text.shown)")
        }
        // Swift compares strings by canonical equivalence. No known name has another equivalent.
        return Dictionary(members.map { ($0.name, $0.value) }, uniquingKeysWith: { one, _ in one })
    }

    private static func date(
        _ name: String, _ members: [String: JSONValue]
    ) throws(PropertyFailure) -> Timestamp? {
        switch members[name] {
        case .number(.integer(let seconds)): return Timestamp(seconds: seconds)
        case .number(.fraction(let seconds)): return Timestamp(fractionalSeconds: seconds)
        case nil: return nil
        default: throw PropertyFailure("\(name) is not a number")
        }
    }

    private static func string(_ name: String, _ members: [String: JSONValue]) -> String? {
        guard case .string(let text) = members[name] else { return nil }
        return text
    }

    private static func text(_ text: ShortText) -> String {
        String(decoding: Array(copying: text.utf8), as: UTF8.self)
    }
}
