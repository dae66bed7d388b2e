import Crypto
import JSON
import JWT
import Time

/// Why a token is good or not, step by step, in the order in which the verifier looks.
///
/// The verdict is the verifier's own; this only finds out where it came from, by looking at the same
/// bytes with the same readers, and says so in words. Nothing here repeats the token or its signature,
/// and what stands in it is shown as what it says, not as what is so, until the signature has held.
struct TokenExplanation {
    enum Mark: String {
        case good = "ok"
        case bad = "NO"
        /// What the token says, and nobody vouches for.
        case unverified = "says"
        /// Something to know, on which nothing depends.
        case note = "-"
        /// It could not be found out.
        case unknown = "?"
    }

    struct Step: Equatable {
        let mark: Mark
        let name: String
        let text: String
    }

    private(set) var steps: [Step] = []
    let outcome: Result<Claims, TokenError>
    /// The first step that fails here, in the log's word for it; the same as the verifier's, or this is
    /// wrong.
    private(set) var failure: StaticString?

    private let tokens: HS256
    private let now: Timestamp
    /// One of the keys has signed what is looked at.
    private var isVerified = false

    init(_ token: [UInt8], _ tokens: HS256, at now: Timestamp) {
        self.tokens = tokens
        self.now = now
        outcome = Result { () throws(TokenError) in try tokens.verify(token.span, at: now) }
        explain(at: token)
    }

    /// The claims that a signature covers, good or not.
    var claims: Claims? {
        switch outcome {
        case .success(let claims): claims
        case .failure(let error): error.claims
        }
    }

    private mutating func step(_ mark: Mark, _ name: String, _ text: String) {
        steps.append(Step(mark: mark, name: name, text: text))
    }

    /// - Parameter reason: as the log has it.
    private mutating func fail(_ reason: StaticString, _ name: String, _ text: String) {
        // What is wrong behind the first fault has not been looked at by anybody.
        if failure == nil { failure = reason }
        step(.bad, name, text)
    }

    // MARK: The segments

    private mutating func explain(at token: [UInt8]) {
        guard token.count <= HS256.maximumLength else {
            fail(
                "too_long", "length",
                "\(token.count) characters; more than \(HS256.maximumLength) are not read")
            return
        }
        step(.good, "length", "\(token.count) of at most \(HS256.maximumLength) characters")
        let segments = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map(Array.init)
        guard segments.count == 3 else {
            let hint = segments.count == 5 ? "; five are an encrypted token (JWE)" : ""
            fail(
                "malformed", "segments",
                "\(segments.count), where three are wanted: header, payload, signature\(hint)")
            return
        }
        step(.good, "segments", "3: header, payload, signature")
        let candidates = explainHeader(segments[0])
        explainSignature(
            segments[2], over: segments[0] + [UInt8(ascii: ".")] + segments[1], candidates)
        explainPayload(segments[1])
    }

    /// - Returns: the keys that may have signed; nil if the header will not do.
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
            fail("malformed", "header", "is not the JSON object that it should be: \(error.words)")
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
            fail("alg_not_allowed", "alg", "says \(VisibleText.of(name)); only HS256 is taken")
        case .other?: fail("alg_not_allowed", "alg", "is no string; only HS256 is taken")
        }
        if let type = header.type { step(.note, "typ", "says \(VisibleText.of(type))") }
        if header.isCritical {
            fail("crit", "crit", "is there: it demands an extension, and none is known here")
        }
        let keys = tokens.keys.entries
        let known = keys.map(\.id).joined(separator: ", ")
        var candidates: Range<Int>? = keys.indices
        if let id = header.keyID {
            if let index = keys.firstIndex(where: { $0.id.utf8.elementsEqual(id.utf8) }) {
                let role = index == 0 ? "the key that signs" : "a key that signed before"
                step(.good, "kid", "\(keys[index].id): \(role)")
                candidates = index..<(index + 1)
            } else {
                fail(
                    "unknown_kid", "kid",
                    "says \(VisibleText.of(id)), which is no key of token.keys (\(known))")
                candidates = nil
            }
        } else {
            step(.good, "kid", "none: every key is tried (\(known))")
        }
        return failure == nil ? candidates : nil
    }

    /// - Parameter candidates: nil if the header is refused, and nobody looks at the signature.
    private mutating func explainSignature(
        _ segment: [UInt8], over signed: [UInt8], _ candidates: Range<Int>?
    ) {
        guard let candidates else {
            step(.note, "signature", segment.isEmpty ? "none" : "not looked at")
            return
        }
        // As the verifier has it: a byte more than a code is long.
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
            step(.good, "signature", "made with key \(keys[index].id), over these bytes")
            return
        }
        let tried = candidates.map { keys[$0].id }.joined(separator: ", ")
        fail(
            "bad_signature", "signature",
            "not made with key \(tried): the token was changed, or signed with another secret")
    }

    // MARK: The payload

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

    /// What it says and no rule judges; or all that it says, if nobody vouches.
    private mutating func describe(_ payload: Payload) {
        let mark: Mark = isVerified && payload.fault == nil ? .good : .unverified
        if let user = payload.user { step(mark, "user_id", "\(user)") }
        if let subject = payload.subject { step(mark, "sub", VisibleText.of(subject)) }
        for name in ["iat", "auth_time"] {
            // The verifier judges the moment of issue; `lookAtPolicy` shows it with its verdict.
            if mark == .good, name == payload.nameOfIssue { continue }
            guard let moment = payload.dates[name] else { continue }
            step(isVerified ? .note : .unverified, name, words(name, moment))
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
            step(.unverified, name, words(name, moment))
        }
    }

    /// In the verifier's order.
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
                "token.require_session is set, and sid and sxp are not both there"
            )
        }
    }

    private mutating func compare(
        _ name: String, _ reason: StaticString, _ wanted: String?, _ found: [String]?
    ) {
        let says = found.map { $0.map { VisibleText.of($0) }.joined(separator: ", ") }
        guard let wanted else {
            if let says { step(.note, name, "\(says); the configuration names none") }
            return
        }
        let matches = found?.contains { $0.utf8.elementsEqual(wanted.utf8) } ?? false
        if matches {
            step(.good, name, says ?? "")
        } else {
            fail(reason, name, "\(says ?? "is missing"); wanted is \(VisibleText.of(wanted))")
        }
    }

    private mutating func check(
        _ name: String, _ reason: StaticString, _ moment: Timestamp, _ isGood: Bool
    ) {
        var text = words(name, moment)
        let isWithinLeeway =
            isGood && (["exp", "sxp"].contains(name) ? moment <= now : moment > now)
        if isWithinLeeway { text += "; good within the leeway for clocks" }
        if isGood { step(.good, name, text) } else { fail(reason, name, text) }
    }

    private func words(_ name: String, _ moment: Timestamp) -> String {
        let relative = HumanTime.relative(moment, to: now)
        let isPast = moment <= now
        let verb =
            switch name {
            case "exp": isPast ? "expired" : "expires"
            case "nbf": isPast ? "good since" : "not good before, which is"
            case "sxp": isPast ? "the session ended" : "the session ends"
            case "iat": isPast ? "issued" : "said to be issued"
            default: isPast ? "logged in" : "said to have logged in"
            }
        return "\(HumanTime.utc(moment)): \(verb) \(relative)"
    }

    // MARK: Beyond the token

    /// Adds what was found out elsewhere.
    mutating func add(_ mark: Mark, _ name: String, _ text: String) { step(mark, name, text) }
}

/// The header's members, read as the verifier reads them.
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
        var reader = JSONReader(json.span, maximumNames: JSONReader.maximumNamesFromStrangers)
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

/// The payload's members, read as the verifier reads them.
private struct Payload {
    private(set) var user: Int64?
    private(set) var subject: String?
    private(set) var issuer: String?
    private(set) var audience: [String]?
    private(set) var dates: [String: Timestamp] = [:]
    /// The claim that says when the token was issued.
    var nameOfIssue: String { dates["iat"] == nil ? "auth_time" : "iat" }
    private(set) var tokenID: String?
    private(set) var sessionID: String?
    /// Names that mean nothing here.
    private(set) var others: [String] = []
    /// What is wrong with a claim, or with all of them.
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
            fault = (name.map { VisibleText.of($0, limit: 20) } ?? "payload", error.words)
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
            fault = ("sub", "says somebody else than user_id, or is no number")
        case (nil, .some) where number == nil:
            fault = ("sub", "is no user id in plain decimal, and user_id is missing")
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
    /// Of a token's part.
    fileprivate var words: String {
        reason == .unexpectedEnd ? "it ends too early" : sentence
    }
}

extension Base64URL.DecodingError {
    fileprivate var sentence: String {
        switch self {
        case .invalidCharacter(let offset):
            "character \(offset + 1) is none of A-Z a-z 0-9 - _ (no padding, no white space)"
        case .invalidLength: "a character is missing or too many"
        case .strayBits: "its last character has bits that belong to no byte"
        case .tooLong: "it is too long"
        }
    }
}
