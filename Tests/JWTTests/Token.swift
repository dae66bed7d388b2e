import Crypto
import JWT
import Time

/// A token that is put together by hand, so that any part of it can be wrong.
struct Token {
    /// JSON, or whatever a test puts in its place.
    var header = Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8)
    var payload = Array(goodPayload.utf8)
    var secret = secretA

    // How each part is spelt; the first two before they are signed.
    var spellHeader: ([UInt8]) -> [UInt8] = base64URL
    var spellPayload: ([UInt8]) -> [UInt8] = base64URL
    var spellSignature: ([UInt8]) -> [UInt8] = base64URL

    init() {}
    init(header: String) { self.header = Array(header.utf8) }
    init(payload: String) { self.payload = Array(payload.utf8) }
    init(payload: [UInt8]) { self.payload = payload }

    var signingInput: [UInt8] { spellHeader(header) + dot + spellPayload(payload) }

    var bytes: [UInt8] {
        signed(with: code(for: signingInput, secret: secret))
    }

    /// With these bytes for a signature, whatever it should be.
    func signed(with signature: [UInt8]) -> [UInt8] {
        signingInput + dot + spellSignature(signature)
    }
}

let secretA = Array("the secret of key a, 32 bytes up".utf8)
let secretB = Array("the secret of key b, 32 bytes up".utf8)
let dot = [UInt8(ascii: ".")]

/// 2027-01-15T08:00:00Z
let now = Timestamp(seconds: 1_800_000_000)
/// A minute before it expires.
let goodPayload = #"{"user_id":1,"exp":1800000060}"#

/// No UTF-8: a byte that never occurs, a cut character, an overlong one, a surrogate, one past the
/// last.
let notUTF8: [[UInt8]] = [
    [0xFF], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
]

func base64URL(_ bytes: [UInt8]) -> [UInt8] { Base64URL.encoded(bytes.span) }

func code(for message: [UInt8], secret: [UInt8]) -> [UInt8] {
    let code = HMACSHA256.code(for: message.span, key: HMACSHA256.Key(secret.span))
    return code.bytes.indices.map { code.bytes[$0] }
}

extension HS256 {
    /// One key, called a; neither issuer nor audience; clocks that agree.
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

    /// `good`, or the word that the log has for the refusal.
    func verdict(on token: [UInt8], at moment: Timestamp = now) -> String {
        switch outcome(of: token, at: moment) {
        case .success: "good"
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
