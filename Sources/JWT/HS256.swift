import Crypto
import Glibc
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
/// nothing for tokens whose payload has up to `payloadOnTheStack` bytes.
package struct HS256: TokenVerifier {
    /// The maximum length of a token, in characters. A longer one is rejected without being read.
    package static let maximumLength = 8192

    /// Our own payloads have about 260 bytes. A longer one than this is decoded on the heap.
    private static let payloadOnTheStack = 512
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

    package func verify(_ token: Span<UInt8>, at now: Timestamp) throws(TokenError) -> Claims {
        guard token.count <= Self.maximumLength else { throw .tooLong }
        let (firstDot, secondDot) = try Self.segmentBounds(in: token)
        let candidates = try keyCandidates(token.extracting(0..<firstDot))
        let keyIndex = try checkSignature(
            token.extracting((secondDot + 1)..<token.count),
            over: token.extracting(0..<secondDot), candidates)
        var fields = Fields()
        fields.claims.keyIndex = keyIndex
        try readPayload(token.extracting((firstDot + 1)..<secondDot), &fields)
        try checkPolicy(fields, at: now)
        return fields.claims
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
        return try readHeader(decoded.span.extracting(0..<count))
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

    private func checkPolicy(_ fields: borrowing Fields, at now: Timestamp) throws(TokenError) {
        // RFC 7519 §4.1.1 and §4.1.3: a token for another audience is rejected whatever its dates
        // are.
        if policy.issuer != nil, !fields.issuerMatches { throw .wrongIssuer(fields.claims) }
        if policy.audience != nil, !fields.audienceMatches { throw .wrongAudience(fields.claims) }
        // §4.1.4: the token is expired at `exp` itself.
        guard now < fields.claims.expires + policy.leeway else { throw .expired(fields.claims) }
        if let notBefore = fields.claims.notBefore, notBefore > now + policy.leeway {
            throw .notYetValid(fields.claims)
        }
        // Revocation cutoffs compare the time of issue, so it must not be in the future.
        if let issued = fields.claims.issuedOrLogin, issued > now + policy.leeway {
            throw .notYetValid(fields.claims)
        }
        if let end = fields.claims.sessionExpires {
            guard now < end + policy.leeway else { throw .sessionExpired(fields.claims) }
        }
        if policy.requiresSession {
            guard fields.claims.sessionID != nil, fields.claims.sessionExpires != nil else {
                throw .claims
            }
        }
    }
}

// MARK: - Header

extension HS256 {
    /// Checks the header (RFC 7515 §4.1). `alg` is required and must be HS256, `crit` must be
    /// absent, and `kid` must be known if present. Everything else (`typ`, `jku`, `jwk`, `x5u`, …)
    /// is ignored: keys never come from a token.
    private func readHeader(_ json: Span<UInt8>) throws(TokenError) -> Range<Int> {
        var reader = JSONReader(json, maximumNames: JSONReader.maximumNamesFromClients)
        var isHS256: Bool?
        var isCritical = false
        var named: KeyName = .none
        do throws(JSONError) {
            try reader.beginObject()
            while let name = try reader.nextName() {
                if reader.isEqual(name, "alg") {
                    // A value that is not a string is not HS256 either.
                    guard try reader.peekKind() == .string else {
                        isHS256 = false
                        try reader.skipValue()
                        continue
                    }
                    let algorithm = try reader.readText()
                    isHS256 = reader.isEqual(algorithm, "HS256")
                } else if reader.isEqual(name, "kid") {
                    let id = try reader.readText()
                    named = keyNamed(id, &reader)
                } else {
                    if reader.isEqual(name, "crit") { isCritical = true }
                    try reader.skipValue()
                }
            }
            try reader.finish()
        } catch { throw .malformed }
        guard let isHS256 else { throw .malformed }
        guard isHS256 else { throw .algorithmNotAllowed }
        guard !isCritical else { throw .criticalExtension }
        switch named {
        case .none: return keys.entries.indices
        case .known(let index): return index..<(index + 1)
        case .unknown: throw .unknownKey
        }
    }

    private enum KeyName {
        case none, unknown
        case known(Int)
    }

    private func keyNamed(_ id: JSONStringToken, _ reader: inout JSONReader) -> KeyName {
        for index in keys.entries.indices {
            let known = keys.entries[index].idBytes
            if reader.isEqual(id, known.span) { return .known(index) }
        }
        return .unknown
    }
}

// MARK: - Payload

extension HS256 {
    /// Decodes the payload and reads it into `fields`.
    private func readPayload(
        _ segment: Span<UInt8>, _ fields: inout Fields
    ) throws(TokenError) {
        if Base64URL.decodedCount(segment.count) <= Self.payloadOnTheStack {
            var decoded = InlineArray<512, UInt8>(repeating: 0)
            var buffer = decoded.mutableSpan
            let count = try Self.decodePayload(segment, &buffer)
            try readClaims(decoded.span.extracting(0..<count), &fields)
        } else {
            var decoded = [UInt8](repeating: 0, count: Base64URL.decodedCount(segment.count))
            var buffer = decoded.mutableSpan
            let count = try Self.decodePayload(segment, &buffer)
            try readClaims(decoded.span.extracting(0..<count), &fields)
        }
    }

    private static func decodePayload(
        _ segment: Span<UInt8>, _ buffer: inout MutableSpan<UInt8>
    ) throws(TokenError) -> Int {
        do throws(Base64URL.DecodingError) {
            return try Base64URL.decode(segment, into: &buffer)
        } catch { throw .notCanonical }
    }

    private func readClaims(
        _ json: Span<UInt8>, _ fields: inout Fields
    ) throws(TokenError) {
        do throws(JSONError) {
            var reader = JSONReader(json)
            try reader.beginObject()
            let names = Name.all
            var cursor = JSONKeySet.Cursor()
            while let member = try reader.nextMember(of: names, &cursor) {
                if case .known(let index) = member {
                    try read(Name(rawValue: index), &reader, &fields)
                } else {
                    try reader.skipValue()
                }
            }
            try reader.finish()
        } catch { throw .claims }
        // If both claims name a user, they must agree.
        if fields.hasUser, fields.hasSubject, fields.subjectAsUser != fields.claims.user {
            throw .claims
        }
        if !fields.hasUser {
            guard let user = fields.subjectAsUser else { throw .claims }
            fields.claims.user = user
        }
        guard fields.hasExpiry, !fields.isInvalid else { throw .claims }
    }

    /// The claims while they are being read.
    private struct Fields {
        /// The user and the expiry are placeholders until `hasUser` and `hasExpiry` are set.
        var claims = Claims(user: .placeholder, expires: Timestamp(milliseconds: .min))
        var hasUser = false
        var hasExpiry = false
        var hasSubject = false
        var subjectAsUser: UserID?
        var issuerMatches = false
        var audienceMatches = false
        /// A claim has the right type but an invalid value.
        var isInvalid = false
    }

    private enum Name: Int, CaseIterable {
        case issuer, subject, user, audience, issued, notBefore, expires, tokenID, sessionID
        case authenticated, sessionExpires

        static let all = JSONKeySet([
            "iss", "sub", "user_id", "aud", "iat", "nbf", "exp", "jti", "sid", "auth_time", "sxp",
        ])
    }

    private func read(
        _ name: Name?, _ reader: inout JSONReader, _ fields: inout Fields
    ) throws(JSONError) {
        switch name {
        case .issuer:
            let text = try reader.readText()
            fields.issuerMatches = reader.isEqual(text, issuer.span)
        case .subject:
            let text = try reader.readText()
            fields.hasSubject = true
            fields.subjectAsUser = Self.user(text, &reader)
        case .user:
            guard let user = UserID(try reader.readInteger()) else {
                fields.isInvalid = true
                return
            }
            fields.claims.user = user
            fields.hasUser = true
        case .audience: fields.audienceMatches = try readAudience(&reader)
        case .issued: fields.claims.issued = try Self.readDate(&reader)
        case .notBefore: fields.claims.notBefore = try Self.readDate(&reader)
        case .expires:
            fields.claims.expires = try Self.readDate(&reader)
            fields.hasExpiry = true
        case .tokenID:
            let text = try reader.readText()
            fields.claims.tokenID = ShortText(text, in: &reader)
            if fields.claims.tokenID == nil { fields.isInvalid = true }
        case .sessionID:
            let text = try reader.readText()
            fields.claims.sessionID = ShortText(text, in: &reader)
            if fields.claims.sessionID == nil { fields.isInvalid = true }
        case .authenticated: fields.claims.authenticated = try Self.readDate(&reader)
        case .sessionExpires: fields.claims.sessionExpires = try Self.readDate(&reader)
        case nil: try reader.skipValue()
        }
    }

    /// NumericDate (RFC 7519 §2): seconds, possibly with a fraction.
    private static func readDate(_ reader: inout JSONReader) throws(JSONError) -> Timestamp {
        switch try reader.readNumber() {
        case .integer(let seconds): Timestamp(seconds: seconds)
        case .fraction(let seconds): Timestamp(fractionalSeconds: seconds)
        }
    }

    /// RFC 7519 §4.1.3: a string, or a list of strings of which one must match.
    private func readAudience(_ reader: inout JSONReader) throws(JSONError) -> Bool {
        guard try reader.peekKind() == .array else {
            let text = try reader.readText()
            return reader.isEqual(text, audience.span)
        }
        var matches = false
        try reader.beginArray()
        while try reader.nextElement() {
            let text = try reader.readText()
            if reader.isEqual(text, audience.span) { matches = true }
        }
        return matches
    }

    /// The subject as a user ID, if it is a decimal number without leading zeros.
    private static func user(_ text: JSONStringToken, _ reader: inout JSONReader) -> UserID? {
        if let plain = reader.plainBytes(of: text) { return user(plain) }
        let resolved = reader.bytes(of: text)
        return user(resolved.span)
    }

    private static func user(_ digits: Span<UInt8>) -> UserID? {
        // Sixteen digits exceed 2^53 and stay far below 2^63.
        guard 1...16 ~= digits.count, digits[0] != UInt8(ascii: "0") else { return nil }
        var value: Int64 = 0
        for index in digits.indices {
            let digit = digits[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int64(digit)
        }
        return UserID(value)
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

extension Span<UInt8> {
    func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count, count > 0 else { return count == other.count }
        // Sound: both have `count` bytes.
        return unsafe withUnsafeBytes { bytes in
            unsafe other.withUnsafeBytes { other in
                unsafe memcmp(bytes.baseAddress!, other.baseAddress!, bytes.count) == 0
            }
        }
    }

    fileprivate func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        guard start < count else { return nil }
        // Sound: memchr reads `count - start` bytes, and returns a pointer to one of them or nil.
        return unsafe withUnsafeBytes { bytes in
            let base = bytes.baseAddress!
            guard let found = unsafe memchr(base + start, CInt(byte), count - start) else {
                return nil
            }
            return unsafe UnsafeRawPointer(found) - base
        }
    }
}
