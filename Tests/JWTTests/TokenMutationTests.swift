import JWT
import TestSupport
import Testing
import Time

/// Texts with a meaning in tokens.
private let pieces = [
    ".", "..", "=", "==", " ", "\n", "+", "/", "-", "_", "A", "AAAA", "%2E", "\0", "é",
    "eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9", "eyJ1c2VyX2lkIjoyLCJleHAiOjFlMzAwfQ",
].map { Array($0.utf8) }

extension [UInt8] {
    fileprivate mutating func mutate(by generator: inout SeededGenerator, _ other: [UInt8]) {
        let index = Int.random(in: 0...count, using: &generator)
        let end = Swift.min(count, index + Int.random(in: 0...12, using: &generator))
        switch Int.random(in: 0..<8, using: &generator) {
        case 0 where index < count: self[index] = UInt8.random(in: 0...255, using: &generator)
        case 1 where index < count: self[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2 where index < count:
            // Another character of the alphabet: often canonical.
            self[index] = Array("ABCDEfghij01234-_".utf8).randomElement(using: &generator)!
        case 3: removeSubrange(index..<end)
        case 4: insert(contentsOf: self[index..<end], at: index)
        case 5: replaceSubrange(index..<end, with: pieces.randomElement(using: &generator)!)
        case 6:
            // Replaces a segment by that of the other token.
            var segments = split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            let others = other.split(separator: UInt8(ascii: "."))
            let segment = Int.random(in: 0..<3, using: &generator)
            if segment < segments.count { segments[segment] = others[segment] }
            self = Array(segments.joined(separator: dot))
        default: insert(contentsOf: pieces.randomElement(using: &generator)!, at: index)
        }
    }
}

struct TokenMutationTests {
    private static let verifier = HS256.with(keys: [("a", secretA), ("b", secretB)])

    /// Valid and expired tokens, with our own header and others, signed with either key.
    private static let originals: [[UInt8]] = {
        var claims = Claims(user: UserID(1)!, expires: Timestamp(seconds: 1_800_000_060))
        claims.tokenID = ShortText("t")
        var foreign = Token(header: #"{"typ":"JWT", "alg":"HS256"}"#)
        foreign.secret = secretB
        var named = Token(header: #"{"alg":"HS256","kid":"b"}"#)
        named.secret = secretB
        return [
            verifier.sign(claims), verifier.sign(Claims(user: UserID(2)!, expires: now)),
            foreign.bytes, named.bytes, Token(payload: #"{"exp":1}"#).bytes,
        ]
    }()

    @Test(arguments: 0..<20)
    func `a mutated token is refused before its payload is read, unless it is an original`(
        seed: UInt64
    ) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<1000 {
            var token = Self.originals.randomElement(using: &generator)!
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                token.mutate(by: &generator, Self.originals.randomElement(using: &generator)!)
            }
            switch Self.verifier.outcome(of: token) {
            case .failure(let error) where error.claims == nil && error != .claims: continue
            default: try #require(Self.originals.contains(token), "\(token)")
            }
        }
    }

    @Test func `each original token has its expected verdict`() {
        let verdicts = Self.originals.map { Self.verifier.verdict(on: $0) }
        #expect(verdicts == ["valid", "expired", "valid", "valid", "claims"])
    }

    @Test(arguments: 0..<4)
    func `random bytes are refused without a trap`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let accepted = (0..<500).count { _ in
            let count = Int.random(in: 0...300, using: &generator)
            let noise = (0..<count).map { _ in
                generator.next() & 15 == 0
                    ? UInt8(ascii: ".") : UInt8.random(in: 0...255, using: &generator)
            }
            return Self.verifier.verdict(on: noise) == "valid"
        }
        #expect(accepted == 0)
    }

    /// Damage under a valid signature, as when a key holder makes a mistake.
    @Test(arguments: 0..<4)
    func `a damaged token with a valid signature does not trap`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let payload = Array(
            (#"{"iss":"x","sub":"1","user_id":1,"aud":["a","b"],"iat":-1.5e3,"nbf":1,"#
                + #""exp":1e300,"jti":"\u0041\ud83d\ude00","sid":"é","sxp":9223372036854775808}"#)
                .utf8)
        let header = Array(#"{"alg":"HS256","typ":"JWT","kid":"a"}"#.utf8)
        for _ in 0..<500 {
            var token = Token()
            token.header = header
            token.payload = payload
            if Bool.random(using: &generator) {
                token.payload.mutate(by: &generator, Self.originals[0])
            } else {
                token.header.mutate(by: &generator, Self.originals[0])
            }
            _ = Self.verifier.outcome(of: token.bytes)
        }
    }
}
