import JWT
import TestSupport
import Testing
import Time

/// Pieces that mean something somewhere.
private let pieces = [
    ".", "..", "=", "==", " ", "\n", "+", "/", "-", "_", "A", "AAAA", "%2E", "\0", "é",
    "eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9", "eyJ1c2VyX2lkIjoyLCJleHAiOjFlMzAwfQ",
].map { Array($0.utf8) }

extension [UInt8] {
    fileprivate mutating func mutate(by dice: inout SeededGenerator, _ other: [UInt8]) {
        let place = Int.random(in: 0...count, using: &dice)
        let end = Swift.min(count, place + Int.random(in: 0...12, using: &dice))
        switch Int.random(in: 0..<8, using: &dice) {
        case 0 where place < count: self[place] = UInt8.random(in: 0...255, using: &dice)
        case 1 where place < count: self[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
        case 2 where place < count:
            // Another character of the alphabet: canonical more often than not.
            self[place] = Array("ABCDEfghij01234-_".utf8).randomElement(using: &dice)!
        case 3: removeSubrange(place..<end)
        case 4: insert(contentsOf: self[place..<end], at: place)
        case 5: replaceSubrange(place..<end, with: pieces.randomElement(using: &dice)!)
        case 6:
            // A segment of one with two of the other.
            var segments = split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            let others = other.split(separator: UInt8(ascii: "."))
            let index = Int.random(in: 0..<3, using: &dice)
            if index < segments.count { segments[index] = others[index] }
            self = Array(segments.joined(separator: dot))
        default: insert(contentsOf: pieces.randomElement(using: &dice)!, at: place)
        }
    }
}

@Suite("A damaged token")
struct TokenMutationTests {
    private static let verifier = HS256.with(keys: [("a", secretA), ("b", secretB)])

    /// Good and expired ones, with a header of ours and others, signed with either key.
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

    @Test("never traps, and nothing in it is believed: what is, is an original", arguments: 0..<20)
    func mutants(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        for _ in 0..<1000 {
            var token = Self.originals.randomElement(using: &dice)!
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                token.mutate(by: &dice, Self.originals.randomElement(using: &dice)!)
            }
            switch Self.verifier.outcome(of: token) {
            case .failure(let error) where error.claims == nil && error != .claims: continue
            default: try #require(Self.originals.contains(token), "\(token)")
            }
        }
    }

    @Test("is told from its original: those are believed, or refused for what they say")
    func originals() {
        let verdicts = Self.originals.map { Self.verifier.verdict(on: $0) }
        #expect(verdicts == ["good", "expired", "good", "good", "claims"])
    }

    @Test("may be any bytes at all", arguments: 0..<4)
    func noise(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let accepted = (0..<500).count { _ in
            let count = Int.random(in: 0...300, using: &dice)
            let noise = (0..<count).map { _ in
                dice.next() & 15 == 0 ? UInt8(ascii: ".") : UInt8.random(in: 0...255, using: &dice)
            }
            return Self.verifier.verdict(on: noise) == "good"
        }
        #expect(accepted == 0)
    }

    /// Damage under a good signature: what is left of the checks when a key holder errs.
    @Test("never traps either where the damage was signed", arguments: 0..<4)
    func signedDamage(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let payload = Array(
            (#"{"iss":"x","sub":"1","user_id":1,"aud":["a","b"],"iat":-1.5e3,"nbf":1,"#
                + #""exp":1e300,"jti":"\u0041\ud83d\ude00","sid":"é","sxp":9223372036854775808}"#)
                .utf8)
        let header = Array(#"{"alg":"HS256","typ":"JWT","kid":"a"}"#.utf8)
        for _ in 0..<500 {
            var token = Token()
            token.header = header
            token.payload = payload
            if Bool.random(using: &dice) {
                token.payload.mutate(by: &dice, Self.originals[0])
            } else {
                token.header.mutate(by: &dice, Self.originals[0])
            }
            _ = Self.verifier.outcome(of: token.bytes)
        }
    }
}
