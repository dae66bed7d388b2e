import Crypto
import JSON
import Time

/// The content of a payload, and how its issuer and audience compare with the expected ones.
struct TokenPayload {
    var claims: Claims
    /// Whether `iss` is present and is the expected issuer.
    var issuerMatches: Bool
    /// Whether `aud` is present and contains the expected audience.
    var audienceMatches: Bool
}

/// Reads the payload of a token (RFC 7519 §4.1 and this project's own claims). Unknown claims are
/// skipped.
struct ClaimsReader {
    /// Our own payloads have about 260 bytes. A longer one than this is decoded on the heap.
    private static let payloadOnTheStack = 512

    private enum Subject {
        case user(UserID)
        /// Not a user ID.
        case other
    }

    private var user: UserID?
    private var subject: Subject?
    private var expires: Timestamp?
    private var issued: Timestamp?
    private var notBefore: Timestamp?
    private var tokenID: ShortText?
    private var sessionID: ShortText?
    private var authenticated: Timestamp?
    private var sessionExpires: Timestamp?
    private var issuerMatches = false
    private var audienceMatches = false
    /// A claim has the right type but an invalid value.
    private var isInvalid = false

    private init() {}

    // MARK: One payload

    /// Decodes a payload and reads its claims. The caller must have verified the signature over it.
    /// Allocates nothing if it has up to `payloadOnTheStack` bytes.
    /// - Parameters:
    ///   - issuer: the expected `iss`.
    ///   - audience: the expected `aud`.
    /// - Throws: `notCanonical` if the segment is not canonical base64url; `claims` if the payload
    ///   is not a JSON object, or a claim is missing, of the wrong type, out of range or
    ///   inconsistent with another.
    @inline(__always)
    static func read(
        _ segment: Span<UInt8>, issuer: Span<UInt8>, audience: Span<UInt8>
    ) throws(TokenError) -> TokenPayload {
        var reader = ClaimsReader()
        if Base64URL.decodedCount(segment.count) <= payloadOnTheStack {
            var decoded = InlineArray<512, UInt8>(repeating: 0)
            var buffer = decoded.mutableSpan
            let count = try decode(segment, &buffer)
            try reader.read(decoded.span.extracting(0..<count), issuer, audience)
        } else {
            var decoded = [UInt8](repeating: 0, count: Base64URL.decodedCount(segment.count))
            var buffer = decoded.mutableSpan
            let count = try decode(segment, &buffer)
            try reader.read(decoded.span.extracting(0..<count), issuer, audience)
        }
        return try reader.payload()
    }

    private static func decode(
        _ segment: Span<UInt8>, _ buffer: inout MutableSpan<UInt8>
    ) throws(TokenError) -> Int {
        do throws(Base64URL.DecodingError) {
            return try Base64URL.decode(segment, into: &buffer)
        } catch { throw .notCanonical }
    }

    private mutating func read(
        _ json: Span<UInt8>, _ issuer: Span<UInt8>, _ audience: Span<UInt8>
    ) throws(TokenError) {
        do throws(JSONError) {
            var reader = JSONReader(json)
            try reader.beginObject()
            let names = Name.all
            var cursor = JSONKeySet.Cursor()
            while let member = try reader.nextMember(of: names, &cursor) {
                if case .known(let index) = member {
                    try read(Name(rawValue: index), &reader, issuer, audience)
                } else {
                    try reader.skipValue()
                }
            }
            try reader.finish()
        } catch { throw .claims }
    }

    /// Inlined, like `read`: otherwise the claims are copied twice more, which costs 130
    /// instructions for each token.
    @inline(__always)
    private func payload() throws(TokenError) -> TokenPayload {
        guard let expires, let user = agreedUser, !isInvalid else { throw .claims }
        var claims = Claims(user: user, expires: expires)
        claims.issued = issued
        claims.notBefore = notBefore
        claims.tokenID = tokenID
        claims.sessionID = sessionID
        claims.authenticated = authenticated
        claims.sessionExpires = sessionExpires
        return TokenPayload(
            claims: claims, issuerMatches: issuerMatches, audienceMatches: audienceMatches)
    }

    /// The user whom `user_id` and `sub` name. Nil if none of them names one, or they do not agree.
    private var agreedUser: UserID? {
        switch subject {
        case nil: user
        case .user(let named): user == nil || user == named ? named : nil
        // `sub` alone must be a user ID; next to `user_id` it must be the same one.
        case .other: nil
        }
    }

    // MARK: One claim

    private enum Name: Int, CaseIterable {
        case issuer, subject, user, audience, issued, notBefore, expires, tokenID, sessionID
        case authenticated, sessionExpires

        static let all = JSONKeySet([
            "iss", "sub", "user_id", "aud", "iat", "nbf", "exp", "jti", "sid", "auth_time", "sxp",
        ])
    }

    private mutating func read(
        _ name: Name?, _ reader: inout JSONReader, _ issuer: Span<UInt8>, _ audience: Span<UInt8>
    ) throws(JSONError) {
        switch name {
        case .issuer:
            let text = try reader.readText()
            issuerMatches = reader.isEqual(text, issuer)
        case .subject:
            let text = try reader.readText()
            subject = Self.user(text, &reader).map(Subject.user) ?? .other
        case .user:
            user = UserID(try reader.readInteger())
            if user == nil { isInvalid = true }
        case .audience: audienceMatches = try Self.readAudience(&reader, audience)
        case .issued: issued = try Self.readDate(&reader)
        case .notBefore: notBefore = try Self.readDate(&reader)
        case .expires: expires = try Self.readDate(&reader)
        case .tokenID:
            let text = try reader.readText()
            tokenID = ShortText(text, in: &reader)
            if tokenID == nil { isInvalid = true }
        case .sessionID:
            let text = try reader.readText()
            sessionID = ShortText(text, in: &reader)
            if sessionID == nil { isInvalid = true }
        case .authenticated: authenticated = try Self.readDate(&reader)
        case .sessionExpires: sessionExpires = try Self.readDate(&reader)
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
    private static func readAudience(
        _ reader: inout JSONReader, _ audience: Span<UInt8>
    ) throws(JSONError) -> Bool {
        guard try reader.peekKind() == .array else {
            let text = try reader.readText()
            return reader.isEqual(text, audience)
        }
        var matches = false
        try reader.beginArray()
        while try reader.nextElement() {
            let text = try reader.readText()
            if reader.isEqual(text, audience) { matches = true }
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
