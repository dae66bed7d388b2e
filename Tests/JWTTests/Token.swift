import Crypto
import JWT
import Time

/// A token that is assembled by hand, so that any part of it can be invalid.
struct Token {
    /// JSON, or any other bytes.
    var header = Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8)
    var payload = Array(validPayload.utf8)
    var secret = secretA

    // How each part is encoded; header and payload are encoded before they are signed.
    var encodeHeader: ([UInt8]) -> [UInt8] = base64URL
    var encodePayload: ([UInt8]) -> [UInt8] = base64URL
    var encodeSignature: ([UInt8]) -> [UInt8] = base64URL

    init() {}
    init(header: String) { self.header = Array(header.utf8) }
    init(payload: String) { self.payload = Array(payload.utf8) }
    init(payload: [UInt8]) { self.payload = payload }

    var signingInput: [UInt8] { encodeHeader(header) + dot + encodePayload(payload) }

    var bytes: [UInt8] {
        signed(with: code(for: signingInput, secret: secret))
    }

    /// The token with these bytes as its signature.
    func signed(with signature: [UInt8]) -> [UInt8] {
        signingInput + dot + encodeSignature(signature)
    }
}

let secretA = Array("the secret of key a, 32 bytes up".utf8)
let secretB = Array("the secret of key b, 32 bytes up".utf8)
let dot = [UInt8(ascii: ".")]

/// 2027-01-15T08:00:00Z
let now = Timestamp(seconds: 1_800_000_000)
/// Expires a minute after `now`.
let validPayload = #"{"user_id":1,"exp":1800000060}"#

/// Not UTF-8: a byte that never occurs, a truncated character, an overlong one, a surrogate, and
/// one above the last.
let notUTF8: [[UInt8]] = [
    [0xFF], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
]

func base64URL(_ bytes: [UInt8]) -> [UInt8] { Base64URL.encoded(bytes.span) }

func code(for message: [UInt8], secret: [UInt8]) -> [UInt8] {
    let code = HMACSHA256.code(for: message.span, key: HMACSHA256.Key(secret.span))
    return code.bytes.indices.map { code.bytes[$0] }
}

extension HS256 {
    /// One key with the ID a, no issuer, no audience, no leeway.
    static let plain = with()

    static func with(
        keys: [(id: String, secret: [UInt8])] = [("a", secretA)],
        issuer: String? = nil, audience: String? = nil, leeway: TimeAmount = .seconds(0),
        requiresSession: Bool = false
    ) -> HS256 {
        let entries = keys.map { KeyRing.Entry(id: $0.id, secret: $0.secret.span)! }
        let policy = TokenPolicy(
            issuer: issuer, audience: audience, leeway: leeway, requiresSession: requiresSession)
        return HS256(keys: KeyRing(entries)!, policy: policy)
    }

    func outcome(of token: [UInt8], at moment: Timestamp = now) -> Result<Claims, TokenError> {
        Result { () throws(TokenError) in try verify(token.span, at: moment) }
    }

    /// `valid`, or the error's reason in the log.
    func verdict(on token: [UInt8], at moment: Timestamp = now) -> String {
        switch outcome(of: token, at: moment) {
        case .success: "valid"
        case .failure(let error): "\(error.reason)"
        }
    }

    func verdict(on token: Token, at moment: Timestamp = now) -> String {
        verdict(on: token.bytes, at: moment)
    }

    func claims(of payload: String, at moment: Timestamp = now) -> Claims? {
        try? outcome(of: Token(payload: payload).bytes, at: moment).get()
    }
}

extension ShortText {
    init(_ text: String) { self.init(Array(text.utf8).span)! }

    var string: String { String(decoding: utf8.indices.map { utf8[$0] }, as: UTF8.self) }
}
