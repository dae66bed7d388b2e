import Crypto
import TestSupport
import Testing

@testable import Auth

struct PasswordHashTests {
    // Computed with Python: hashlib.pbkdf2_hmac("sha256", b"correct horse", salt, 1000), and
    // passlib's pbkdf2_sha256.using(rounds=1000, salt=salt).hash("correct horse"). The encoded salt
    // contains both characters in which base64 and base64url differ.
    private let salt = [UInt8](hexadecimal: "fbeffe3ffbf0ffefbefbfffefdfcfb00")
    private let text =
        "$pbkdf2-sha256$i=1000$++/+P/vw/++++//+/fz7AA$0+1DRbNvPvjQjx1/EKhDRDxDUjQxyVKkoB9/HlJJV6E"
    private let passlibText =
        "$pbkdf2-sha256$1000$../.P/vw/....//./fz7AA$0.1DRbNvPvjQjx1/EKhDRDxDUjQxyVKkoB9/HlJJV6E"

    private func password(_ text: String) -> Password { Password(text)! }

    @Test func `a hash equals that of Python's hashlib, as a PHC string`() {
        let hash = PasswordHash(of: password("correct horse"), iterations: 1000, salt: salt)
        #expect(hash.text == text)
    }

    @Test
    func `a hash is read in its own format and in passlib's, and matches only its password`() throws
    {
        for text in [text, passlibText] {
            let hash = try #require(PasswordHash(text))
            #expect(hash.iterations == 1000)
            #expect(hash.text == self.text)
            #expect(hash.matches(password("correct horse")))
            for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
                #expect(!hash.matches(password(wrong)))
            }
        }
    }

    @Test func `every hash has a salt of its own of 128 bits`() {
        let texts = (0..<20).map { _ in
            PasswordHash(of: password("one password"), iterations: 1000).text
        }
        #expect(Set(texts.map { $0.split(separator: "$")[2] }).count == 20)
        #expect(Set(texts.map { $0.split(separator: "$")[3] }).count == 20)
        for text in texts { #expect(text.split(separator: "$")[2].utf8.count == 22) }
    }

    private static let key = "0+1DRbNvPvjQjx1/EKhDRDxDUjQxyVKkoB9/HlJJV6E"

    @Test(
        arguments: [
            ("i=1000", "AAAAAAAAAAA", key, true), ("i=10000000", "AAAAAAAAAAA", key, true),
            ("i=999", "AAAAAAAAAAA", key, false), ("i=10000001", "AAAAAAAAAAA", key, false),
            ("i=99999999999999999999", "AAAAAAAAAAA", key, false),
            ("i=01000", "AAAAAAAAAAA", key, false), ("i=+1000", "AAAAAAAAAAA", key, false),
            ("i=", "AAAAAAAAAAA", key, false), ("", "AAAAAAAAAAA", key, false),
            ("i=1000,l=32", "AAAAAAAAAAA", key, false), ("r=1000", "AAAAAAAAAAA", key, false),
            ("i=-1000", "AAAAAAAAAAA", key, false), ("i=1e6", "AAAAAAAAAAA", key, false),
            // 7, 64 and 65 bytes of salt.
            ("i=1000", "AAAAAAAAAA", key, false),
            ("i=1000", String(repeating: "A", count: 86), key, true),
            ("i=1000", String(repeating: "A", count: 87), key, false),
            // 31 and 33 bytes of hash, and none.
            ("i=1000", "AAAAAAAAAAA", String(repeating: "A", count: 42), false),
            ("i=1000", "AAAAAAAAAAA", String(repeating: "A", count: 44), false),
            ("i=1000", "AAAAAAAAAAA", "", false),
            // Padding, other alphabets, non-zero trailing bits.
            ("i=1000", "AAAAAAAAAAA=", key, false), ("i=1000", "AAAAAAAAAA-", key, false),
            ("i=1000", "AAAAAAAAAA_", key, false), ("i=1000", ".AAAAAAAAAA", key, false),
            ("1000", "+AAAAAAAAAA", "AAAA", false), ("i=1000", "AAAAAAAAAAB", key, false),
        ])
    func `only a hash within the limits is read`(
        iterations: String, salt: String, key: String, isHash: Bool
    ) {
        #expect((PasswordHash("$pbkdf2-sha256$\(iterations)$\(salt)$\(key)") != nil) == isHash)
    }

    @Test(
        arguments: [
            "", "$", "$$$$", "password", "pbkdf2-sha256$i=1000$AAAAAAAAAAA$\(key)",
            "$pbkdf2-sha512$i=1000$AAAAAAAAAAA$\(key)", "$pbkdf2-sha256$i=1000$AAAAAAAAAAA",
            "$pbkdf2-sha256$i=1000$AAAAAAAAAAA$\(key)$",
            " $pbkdf2-sha256$i=1000$AAAAAAAAAAA$\(key)",
            "$pbkdf2-sha256$i=1000$AAAAAAAAAAA$\(key)\n",
            "$PBKDF2-SHA256$i=1000$AAAAAAAAAAA$\(key)",
            "$2b$12$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234",
        ])
    func `other text is not read as a hash`(text: String) {
        #expect(PasswordHash(text) == nil)
    }

    @Test func `a hash is equal to itself and to no other`() {
        let hash = PasswordHash(of: password("correct horse"), iterations: 1000, salt: salt)
        #expect(hash == PasswordHash(text))
        #expect(hash != PasswordHash(of: password("correct horse"), iterations: 1001, salt: salt))
        #expect(hash != PasswordHash(of: password("correct horse"), iterations: 1000))
        #expect(hash != PasswordHash(of: password("other horses"), iterations: 1000, salt: salt))
    }

    @Test func `printing or dumping reveals neither a hash nor a password`() {
        func shown(_ text: String) -> String {
            let hash = PasswordHash(of: password(text), iterations: 1000)
            let user = User.test(1, password: hash)
            var shown = "\(hash) \(String(reflecting: hash)) \(password(text)) \(user) "
            shown += String(reflecting: password(text))
            dump(hash, to: &shown)
            dump(password(text), to: &shown)
            dump(user, to: &shown)
            return shown
        }
        #expect(shown("one secret") == shown("another secret"))
    }

    @Test(arguments: 1...4)
    func `a mutated hash is read or refused, never a trap`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let interesting = Array("$i=+/.-_0129AZaz, \n".utf8) + [0, 0x7f, 0x80, 0xc3, 0xff]
        var accepted = 0
        for _ in 0..<5000 {
            var bytes = Array([text, passlibText].randomElement(using: &generator)!.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                let byte = interesting.randomElement(using: &generator)!
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: bytes[index] = byte
                case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 2: bytes.insert(byte, at: index)
                case 3: bytes.remove(at: index)
                default: bytes.removeSubrange(index...)
                }
            }
            let mutated = String(decoding: bytes, as: UTF8.self)
            guard let hash = PasswordHash(mutated) else { continue }
            accepted += 1
            #expect(PasswordHash.iterationRange.contains(hash.iterations))
            #expect(PasswordHash(hash.text) == hash)
            // Each hash has exactly one PHC string.
            let isPHC = mutated.contains("i=")
            if isPHC { #expect(hash.text == mutated) }
        }
        #expect((100...4900).contains(accepted))
    }
}
