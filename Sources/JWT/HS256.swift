import Crypto
import JSON
import Time

/// Verifies tokens, which are untrusted input, and returns their claims.
package protocol TokenVerifier: Sendable {
    /// The token's claims, if it is valid at `now`.
    /// - Throws: the reason of the rejection. Cases with claims are thrown only after the signature
    ///   was verified.
    func verify(_ token: Span<UInt8>, at now: Timestamp) throws(TokenError) -> Claims

    /// The `kid` of the key that signed these claims.
    func keyID(of claims: Claims) -> String
}

/// JSON Web Tokens (RFC 7519) in JWS compact serialization (RFC 7515 §7.1), signed only with
/// HMAC-SHA256. The algorithm is fixed by this type; a token's `alg` is only compared with it.
///
/// Verification does the cheap checks first and uses nothing before it is verified: length, three
/// segments, header, the signature over the bytes as received, and only then the payload. Each
/// segment must be in its canonical encoding, so that no other text is the same token. Allocates
/// nothing for tokens whose payload has up to 512 bytes.
package struct HS256: TokenVerifier {
    /// The maximum length of a token, in characters. A longer one is rejected without being read.
    package static let maximumLength = 8192

    /// The maximum size of a header, in bytes. Our own have about 45 bytes. This leaves room for a
    /// few more members, but not for the certificates of `x5c`, which no HS256 token needs.
    package static let maximumHeader = 1024
    /// 32 bytes in base64url.
    private static let signatureLength = 43

    package let keys: KeyRing
    package let policy: TokenPolicy
    private let issuer: [UInt8]
    private let audience: [UInt8]
    /// The exact headers that most other libraries write, in base64url. They contain no `kid`.
    private let usualHeaders: [[UInt8]]

    package init(keys: KeyRing, policy: TokenPolicy) {
        self.keys = keys
        self.policy = policy
        usualHeaders = [
            #"{"alg":"HS256","typ":"JWT"}"#, #"{"typ":"JWT","alg":"HS256"}"#, #"{"alg":"HS256"}"#,
        ].map { header in
            let bytes = Array(header.utf8)
            return Base64URL.encoded(bytes.span)
        }
        issuer = Array((policy.issuer ?? "").utf8)
        audience = Array((policy.audience ?? "").utf8)
    }

    package func keyID(of claims: Claims) -> String { keys.entries[claims.keyIndex].id }

    // MARK: Verify

    /// The token's claims, if it is valid at `now`. Checks in this order, and stops at the first
    /// failure:
    ///
    /// 1. the length;
    /// 2. the three segments;
    /// 3. the header: encoding, `alg`, `crit`, `kid`;
    /// 4. the signature over the first two segments as received, compared in constant time;
    /// 5. the payload: encoding, JSON, types and ranges of the claims;
    /// 6. the policy (`TokenPolicy.check`): issuer, audience, dates, session.
    ///
    /// Nothing of the payload is decoded before its signature is verified.
    /// - Throws: the error of the check that failed; `TokenError` lists the errors of each check.
    package func verify(_ token: Span<UInt8>, at now: Timestamp) throws(TokenError) -> Claims {
        guard token.count <= Self.maximumLength else { throw .tooLong }
        let (firstDot, secondDot) = try Self.segmentBounds(in: token)
        let candidates = try keyCandidates(token.extracting(0..<firstDot))
        let keyIndex = try checkSignature(
            token.extracting((secondDot + 1)..<token.count),
            over: token.extracting(0..<secondDot), candidates)
        var payload = try ClaimsReader.read(
            token.extracting((firstDot + 1)..<secondDot), issuer: issuer.span,
            audience: audience.span)
        payload.claims.keyIndex = keyIndex
        try policy.check(payload, at: now)
        return payload.claims
    }

    /// The positions of the two dots (RFC 7515 §7.1: header, payload and signature). Empty segments
    /// are accepted here and fail where they are read: an unsecured token has an empty signature
    /// (RFC 7519 §6.1), and must be rejected for its `alg`.
    private static func segmentBounds(in token: Span<UInt8>) throws(TokenError) -> (Int, Int) {
        guard let first = token.firstIndex(of: UInt8(ascii: "."), from: 0),
            let second = token.firstIndex(of: UInt8(ascii: "."), from: first + 1),
            token.firstIndex(of: UInt8(ascii: "."), from: second + 1) == nil
        else { throw .malformed }
        return (first, second)
    }

    /// The keys that may have signed the token: the one named by the header, or all if it names
    /// none.
    private func keyCandidates(_ segment: Span<UInt8>) throws(TokenError) -> Range<Int> {
        for index in keys.entries.indices {
            let known = keys.entries[index].headerSegment
            if segment.isEqual(to: known.span) { return index..<(index + 1) }
        }
        // The content of these headers is known: no `kid`.
        for header in usualHeaders where segment.isEqual(to: header.span) {
            return keys.entries.indices
        }
        guard Base64URL.decodedCount(segment.count) <= Self.maximumHeader else {
            throw .malformed
        }
        var decoded = InlineArray<1024, UInt8>(repeating: 0)
        var buffer = decoded.mutableSpan
        let count: Int
        do throws(Base64URL.DecodingError) {
            count = try Base64URL.decode(segment, into: &buffer)
        } catch { throw .notCanonical }
        return try JOSEHeader(decoded.span.extracting(0..<count), keys: keys)
            .keyCandidates(in: keys)
    }

    private func checkSignature(
        _ segment: Span<UInt8>, over signed: Span<UInt8>, _ candidates: Range<Int>
    ) throws(TokenError) -> Int {
        // One byte more than a code, so that a longer signature is recognized as such.
        var decoded = InlineArray<33, UInt8>(repeating: 0)
        var buffer = decoded.mutableSpan
        let count: Int
        do throws(Base64URL.DecodingError) {
            count = try Base64URL.decode(segment, into: &buffer)
        } catch {
            // Text that is even longer is not another encoding of a valid code.
            throw error == .tooLong ? .badSignature : .notCanonical
        }
        guard count == SHA256.digestSize else { throw .badSignature }
        let signature = decoded.span.extracting(0..<count)
        for index in candidates
        where HMACSHA256.isValid(signature, for: signed, key: keys.entries[index].key) {
            return index
        }
        throw .badSignature
    }
}

// MARK: - Sign

extension HS256 {
    /// A token with these claims, signed with the first key of the ring.
    package func sign(_ claims: Claims) -> [UInt8] {
        var payload = JSONWriter(capacity: 384)
        payload.beginObject()
        if let issuer = policy.issuer {
            payload.name("iss")
            payload.string(issuer)
        }
        payload.name("sub")
        payload.string(decimal: claims.user.rawValue)
        payload.name("user_id")
        payload.integer(claims.user.rawValue)
        if let audience = policy.audience {
            payload.name("aud")
            payload.string(audience)
        }
        payload.date("iat", claims.issued)
        payload.date("nbf", claims.notBefore)
        payload.date("exp", claims.expires)
        payload.text("jti", claims.tokenID)
        payload.text("sid", claims.sessionID)
        payload.date("auth_time", claims.authenticated)
        payload.date("sxp", claims.sessionExpires)
        payload.endObject()

        let header = keys.signing.headerSegment
        var token: [UInt8] = []
        token.reserveCapacity(
            header.count + Base64URL.encodedCount(payload.bytes.count) + Self.signatureLength + 2)
        token.append(contentsOf: header)
        token.append(UInt8(ascii: "."))
        Base64URL.encode(payload.bytes.span, appendingTo: &token)
        let code = HMACSHA256.code(for: token.span, key: keys.signing.key)
        token.append(UInt8(ascii: "."))
        Base64URL.encode(code.span, appendingTo: &token)
        return token
    }
}

extension JSONWriter {
    fileprivate mutating func date(_ name: StaticString, _ moment: Timestamp?) {
        guard let moment else { return }
        self.name(name)
        seconds(milliseconds: moment.milliseconds)
    }

    fileprivate mutating func text(_ name: StaticString, _ text: ShortText?) {
        guard let text else { return }
        self.name(name)
        string(text.utf8)
    }
}
