import Crypto
import JSON
import JWT
import Time

/// Explains step by step, in the verifier's order of checks, why a token is accepted or refused.
///
/// The verdict is the verifier's own. This type finds its reason by reading the same bytes with the
/// same readers. It never shows the token or its signature, and it marks the token's content as
/// unverified unless the signature is valid.
struct TokenExplanation {
    enum Mark: String {
        case good = "ok"
        case bad = "NO"
        /// A claim of the token that no valid signature covers.
        case unverified = "says"
        /// Information that does not affect the verdict.
        case note = "-"
        /// It could not be determined.
        case unknown = "?"
    }

    struct Step: Equatable {
        let mark: Mark
        let name: String
        let text: String
    }

    private(set) var steps: [Step] = []
    let outcome: Result<Claims, TokenError>
    /// The `reason=` value of the first step that fails. It must be equal to the verifier's reason;
    /// otherwise this type has a bug.
    private(set) var failure: StaticString?

    private let tokens: HS256
    private let now: Timestamp
    /// One of the keys has signed the token.
    private var isVerified = false

    init(_ token: [UInt8], _ tokens: HS256, at now: Timestamp) {
        self.tokens = tokens
        self.now = now
        outcome = Result { () throws(TokenError) in try tokens.verify(token.span, at: now) }
        explain(at: token)
    }

    /// The claims if a key has signed them, even if the token is refused.
    var claims: Claims? {
        switch outcome {
        case .success(let claims): claims
        case .failure(let error): error.claims
        }
    }

    private mutating func step(_ mark: Mark, _ name: String, _ text: String) {
        steps.append(Step(mark: mark, name: name, text: text))
    }

    /// - Parameter reason: the `reason=` value of the log.
    private mutating func fail(_ reason: StaticString, _ name: String, _ text: String) {
        // The verifier stops at the first fault, so only that one counts.
        if failure == nil { failure = reason }
        step(.bad, name, text)
    }

    // MARK: Segments

    private mutating func explain(at token: [UInt8]) {
        guard token.count <= HS256.maximumLength else {
            fail(
                "too_long", "length",
                "\(token.count) characters; at most \(HS256.maximumLength) are accepted")
            return
        }
        step(.good, "length", "\(token.count) of at most \(HS256.maximumLength) characters")
        let segments = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map(Array.init)
        guard segments.count == 3 else {
            let hint = segments.count == 5 ? "; five segments are an encrypted token (JWE)" : ""
            fail(
                "malformed", "segments",
                "\(segments.count), but a token has three: header, payload, signature\(hint)")
            return
        }
        step(.good, "segments", "3: header, payload, signature")
        let candidates = explainHeader(segments[0])
        explainSignature(
            segments[2], over: segments[0] + [UInt8(ascii: ".")] + segments[1], candidates)
        explainPayload(segments[1])
    }

    /// - Returns: the indices of the keys that may have signed the token; nil if the header is
    ///   refused.
    private mutating func explainHeader(_ segment: [UInt8]) -> Range<Int>? {
        guard Base64URL.decodedCount(segment.count) <= HS256.maximumHeader else {
            fail("malformed", "header", "has more than \(HS256.maximumHeader) bytes")
            return nil
        }
        let json: [UInt8]
        do throws(Base64URL.DecodingError) {
            json = try Base64URL.decoded(segment.span)
        } catch {
            fail("not_canonical", "header", "is not base64url: \(error.sentence)")
            return nil
        }
        let header: Header
        do throws(JSONError) {
            header = try Header(json)
        } catch {
            fail("malformed", "header", "is not a valid JSON object: \(error.explanation)")
            return nil
        }
        step(.good, "header", "a JSON object of \(json.count) bytes")
        return explainHeader(header)
    }

    private mutating func explainHeader(_ header: Header) -> Range<Int>? {
        switch header.algorithm {
        case nil: fail("malformed", "alg", "is missing")
        case .text("HS256")?: step(.good, "alg", "HS256")
        case .text(let name)?:
            fail("alg_not_allowed", "alg", "is \(VisibleText.of(name)); only HS256 is accepted")
        case .other?: fail("alg_not_allowed", "alg", "is not a string; only HS256 is accepted")
        }
        if let type = header.type { step(.note, "typ", "\(VisibleText.of(type))") }
        if header.isCritical {
            fail("crit", "crit", "is present: it requires an extension, and none is supported")
        }
        let keys = tokens.keys.entries
        let known = keys.map(\.id).joined(separator: ", ")
        var candidates: Range<Int>? = keys.indices
        if let id = header.keyID {
            if let index = keys.firstIndex(where: { $0.id.utf8.elementsEqual(id.utf8) }) {
                let role = index == 0 ? "the signing key" : "a key that only verifies"
                step(.good, "kid", "\(keys[index].id): \(role)")
                candidates = index..<(index + 1)
            } else {
                fail(
                    "unknown_kid", "kid",
                    "is \(VisibleText.of(id)), which is not in token.keys (\(known))")
                candidates = nil
            }
        } else {
            step(.good, "kid", "none: every key is tried (\(known))")
        }
        return failure == nil ? candidates : nil
    }

    /// - Parameter candidates: nil if the header is refused; then the signature is not checked.
    private mutating func explainSignature(
        _ segment: [UInt8], over signed: [UInt8], _ candidates: Range<Int>?
    ) {
        guard let candidates else {
            step(.note, "signature", segment.isEmpty ? "none" : "not checked")
            return
        }
        // As in the verifier: one byte more than a code, so that a longer signature is noticed.
        var decoded = InlineArray<33, UInt8>(repeating: 0)
        var buffer = decoded.mutableSpan
        let count: Int
        do throws(Base64URL.DecodingError) {
            count = try Base64URL.decode(segment.span, into: &buffer)
        } catch .tooLong {
            fail("bad_signature", "signature", "is longer than the 32 bytes of HMAC-SHA256")
            return
        } catch {
            fail("not_canonical", "signature", "is not base64url: \(error.sentence)")
            return
        }
        guard count == SHA256.digestSize else {
            fail("bad_signature", "signature", "has \(count) bytes; HMAC-SHA256 has 32")
            return
        }
        let keys = tokens.keys.entries
        let code = decoded.span.extracting(0..<count)
        for index in candidates
        where HMACSHA256.isValid(code, for: signed.span, key: keys[index].key) {
            isVerified = true
            step(.good, "signature", "valid for key \(keys[index].id)")
            return
        }
        let tried = candidates.map { keys[$0].id }.joined(separator: ", ")
        fail(
            "bad_signature", "signature",
            "not valid for key \(tried): the token was changed, or signed with another secret")
    }

    // MARK: Payload

    private mutating func explainPayload(_ segment: [UInt8]) {
        let json: [UInt8]
        do throws(Base64URL.DecodingError) {
            json = try Base64URL.decoded(segment.span)
        } catch {
            badPayload("not_canonical", "payload", "is not base64url: \(error.sentence)")
            return
        }
        var payload = Payload()
        payload.read(json)
        if let fault = payload.fault {
            badPayload("claims", fault.name, fault.text)
        } else {
            step(
                isVerified ? .good : .unverified, "payload", "a JSON object of \(json.count) bytes")
        }
        describe(payload)
        if isVerified, payload.fault == nil { explainPolicy(payload) }
    }

    private mutating func badPayload(_ reason: StaticString, _ name: String, _ text: String) {
        if isVerified { fail(reason, name, text) } else { step(.unverified, name, text) }
    }

    /// Adds the claims that no check covers; without a valid signature, all claims.
    private mutating func describe(_ payload: Payload) {
        let mark: Mark = isVerified && payload.fault == nil ? .good : .unverified
        if let user = payload.user { step(mark, "user_id", "\(user)") }
        if let subject = payload.subject { step(mark, "sub", VisibleText.of(subject)) }
        for name in ["iat", "auth_time"] {
            // `explainPolicy` shows the time of issue with the verdict on it.
            if mark == .good, name == payload.nameOfIssue { continue }
            guard let moment = payload.dates[name] else { continue }
            step(isVerified ? .note : .unverified, name, timeText(name, moment))
        }
        if let id = payload.tokenID {
            step(isVerified ? .note : .unverified, "jti", VisibleText.of(id))
        }
        if let id = payload.sessionID {
            step(isVerified ? .note : .unverified, "sid", VisibleText.of(id))
        }
        if !payload.others.isEmpty {
            let names = payload.others.prefix(8).map { VisibleText.of($0, limit: 20) }
            let more = payload.others.count > 8 ? ", …" : ""
            step(
                isVerified ? .note : .unverified, "also", names.joined(separator: ", ") + more)
        }
        guard mark == .unverified else { return }
        if let issuer = payload.issuer { step(.unverified, "iss", VisibleText.of(issuer)) }
        if let audience = payload.audience {
            step(.unverified, "aud", audience.map { VisibleText.of($0) }.joined(separator: ", "))
        }
        for name in ["exp", "nbf", "sxp"] {
            guard let moment = payload.dates[name] else { continue }
            step(.unverified, name, timeText(name, moment))
        }
    }

    /// In the verifier's order of checks.
    private mutating func explainPolicy(_ payload: Payload) {
        let policy = tokens.policy
        compare("iss", "wrong_issuer", policy.issuer, payload.issuer.map { [$0] })
        compare("aud", "wrong_audience", policy.audience, payload.audience)
        if let expires = payload.dates["exp"] {
            check("exp", "expired", expires, now < expires + policy.leeway)
        }
        if let begins = payload.dates["nbf"] {
            check("nbf", "not_yet_valid", begins, begins <= now + policy.leeway)
        }
        if let issued = payload.dates[payload.nameOfIssue] {
            check(payload.nameOfIssue, "not_yet_valid", issued, issued <= now + policy.leeway)
        }
        if let end = payload.dates["sxp"] {
            check("sxp", "session_expired", end, now < end + policy.leeway)
        }
        if policy.requiresSession, payload.sessionID == nil || payload.dates["sxp"] == nil {
            fail(
                "claims", "session",
                "token.require_session is set, but sid or sxp is missing"
            )
        }
    }

    private mutating func compare(
        _ name: String, _ reason: StaticString, _ required: String?, _ found: [String]?
    ) {
        let says = found.map { $0.map { VisibleText.of($0) }.joined(separator: ", ") }
        guard let required else {
            if let says { step(.note, name, "\(says); the configuration requires none") }
            return
        }
        let matches = found?.contains { $0.utf8.elementsEqual(required.utf8) } ?? false
        if matches {
            step(.good, name, says ?? "")
        } else {
            fail(reason, name, "\(says ?? "is missing"); required: \(VisibleText.of(required))")
        }
    }

    private mutating func check(
        _ name: String, _ reason: StaticString, _ moment: Timestamp, _ isGood: Bool
    ) {
        var text = timeText(name, moment)
        let isWithinLeeway =
            isGood && (["exp", "sxp"].contains(name) ? moment <= now : moment > now)
        if isWithinLeeway { text += "; accepted within the clock leeway" }
        if isGood { step(.good, name, text) } else { fail(reason, name, text) }
    }

    private func timeText(_ name: String, _ moment: Timestamp) -> String {
        let relative = HumanTime.relative(moment, to: now)
        let isPast = moment <= now
        let verb =
            switch name {
            case "exp": isPast ? "expired" : "expires"
            case "nbf": isPast ? "became valid" : "becomes valid"
            case "sxp": isPast ? "the session ended" : "the session ends"
            case "iat": isPast ? "issued" : "claims to be issued"
            default: isPast ? "logged in" : "claims a login"
            }
        return "\(HumanTime.utc(moment)): \(verb) \(relative)"
    }

    // MARK: Facts from elsewhere

    /// Adds a step about what was found outside the token.
    mutating func add(_ mark: Mark, _ name: String, _ text: String) { step(mark, name, text) }
}

/// The header's members, parsed as the verifier does.
private struct Header {
    enum Value {
        case text(String)
        case other
    }

    private(set) var algorithm: Value?
    private(set) var type: String?
    private(set) var keyID: String?
    private(set) var isCritical = false

    init(_ json: [UInt8]) throws(JSONError) {
        var reader = JSONReader(json.span, maximumNames: JSONReader.maximumNamesFromClients)
        try reader.beginObject()
        while let name = try reader.nextName() {
            let isText = try reader.peekKind() == .string
            switch reader.string(of: name) {
            case "alg" where isText:
                let text = try reader.readText()
                algorithm = .text(reader.string(of: text))
            case "alg":
                algorithm = .other
                try reader.skipValue()
            case "kid":
                let text = try reader.readText()
                keyID = reader.string(of: text)
            case "typ" where isText:
                let text = try reader.readText()
                type = reader.string(of: text)
            case let name:
                if name == "crit" { isCritical = true }
                try reader.skipValue()
            }
        }
        try reader.finish()
    }
}

/// The payload's members, parsed as the verifier does.
private struct Payload {
    private(set) var user: Int64?
    private(set) var subject: String?
    private(set) var issuer: String?
    private(set) var audience: [String]?
    private(set) var dates: [String: Timestamp] = [:]
    /// The claim that contains the time of issue.
    var nameOfIssue: String { dates["iat"] == nil ? "auth_time" : "iat" }
    private(set) var tokenID: String?
    private(set) var sessionID: String?
    /// Names of claims that have no meaning here.
    private(set) var others: [String] = []
    /// The first claim that is wrong, or `payload`, and what is wrong with it.
    private(set) var fault: (name: String, text: String)?

    mutating func read(_ json: [UInt8]) {
        var name: String?
        do throws(JSONError) {
            var reader = JSONReader(json.span)
            try reader.beginObject()
            while let member = try reader.nextName() {
                let known = reader.string(of: member)
                name = known
                try read(known, &reader)
                name = nil
            }
            try reader.finish()
        } catch {
            fault = (name.map { VisibleText.of($0, limit: 20) } ?? "payload", error.explanation)
            return
        }
        if fault == nil { checkUser() }
        if fault == nil, dates["exp"] == nil { fault = ("exp", "is missing") }
    }

    private mutating func read(_ name: String, _ reader: inout JSONReader) throws(JSONError) {
        switch name {
        case "iss":
            let text = try reader.readText()
            issuer = reader.string(of: text)
        case "sub":
            let text = try reader.readText()
            subject = reader.string(of: text)
        case "user_id":
            let number = try reader.readInteger()
            user = number
            if UserID(number) == nil {
                fault = fault ?? (name, "not a whole number from 1 to \(UserID.maximum)")
            }
        case "aud": audience = try Self.readAudience(&reader)
        case "iat", "nbf", "exp", "auth_time", "sxp":
            switch try reader.readNumber() {
            case .integer(let seconds): dates[name] = Timestamp(seconds: seconds)
            case .fraction(let seconds): dates[name] = Timestamp(fractionalSeconds: seconds)
            }
        case "jti", "sid":
            let member = try reader.readText()
            let text = reader.string(of: member)
            if name == "jti" { tokenID = text } else { sessionID = text }
            if text.utf8.count > ShortText.capacity {
                fault = fault ?? (name, "has more than \(ShortText.capacity) bytes")
            }
        default:
            others.append(name)
            try reader.skipValue()
        }
    }

    private static func readAudience(_ reader: inout JSONReader) throws(JSONError) -> [String] {
        guard try reader.peekKind() == .array else {
            let text = try reader.readText()
            return [reader.string(of: text)]
        }
        var texts: [String] = []
        try reader.beginArray()
        while try reader.nextElement() {
            let text = try reader.readText()
            texts.append(reader.string(of: text))
        }
        return texts
    }

    private mutating func checkUser() {
        let number = subject.flatMap(Self.number)
        switch (user, subject) {
        case (nil, nil): fault = ("user_id", "is missing, and so is sub")
        case (let user?, .some) where user != number:
            fault = ("sub", "differs from user_id, or is not a number")
        case (nil, .some) where number == nil:
            fault = ("sub", "is not a user ID in plain decimal, and user_id is missing")
        default: break
        }
    }

    private static func number(_ text: String) -> Int64? {
        guard (1...16).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "0"),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int64(text).flatMap { UserID($0) }?.rawValue
    }
}

extension JSONError {
    /// What is wrong with a segment of a token.
    fileprivate var explanation: String {
        reason == .unexpectedEnd ? "it ends too early" : message
    }
}

extension Base64URL.DecodingError {
    fileprivate var sentence: String {
        switch self {
        case .invalidCharacter(let offset):
            "character \(offset + 1) is not one of A-Z a-z 0-9 - _ (no padding, no white space)"
        case .invalidLength: "its length is impossible: a character is missing or extra"
        case .nonzeroTrailingBits: "its last character has bits that are not part of a byte"
        case .tooLong: "it is too long"
        }
    }
}
