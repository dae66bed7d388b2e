import Foundation
import TestSupport
import Testing

@testable import Crypto

/// The keys of the default and of the portable implementation, in hexadecimal.
private func keys(_ password: [UInt8], _ salt: [UInt8], _ iterations: Int) -> [String] {
    let used = PBKDF2.key(password: password.span, salt: salt.span, iterations: iterations)
    let plain = PBKDF2.portableKey(
        password: password.span, salt: salt.span, iterations: iterations)
    return [hexadecimal(used.span), hexadecimal(plain.span)]
}

struct PBKDF2Tests {
    // The first 32 of their 64 bytes, which are the first block.
    @Test(
        arguments: [
            (
                "passwd", "salt", 1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
            ),
            (
                "Password", "NaCl", 80_000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
            ),
        ])
    func `the keys of RFC 7914 §11 are computed`(
        password: String, salt: String, iterations: Int, expected: String
    ) {
        let keys = keys(Array(password.utf8), Array(salt.utf8), iterations)
        #expect(keys == [expected, expected])
    }

    // Computed with Python's hashlib.pbkdf2_hmac("sha256", …): byte i of the password is 7 i + 1,
    // byte i of the salt is i. A password of more than one block is hashed first.
    @Test(
        arguments: [
            (0, 1, "c6b7413bebb763bda962e5d94e24327e07d4daa9e97c14ea4126ba4b7ccb0d16"),
            (0, 1000, "c5b301b1fd61bced63f00642a2304ec674519fbd7cd83c4bc83dafe1743f9855"),
            (1, 2, "5c4e209bddb41e62df056eb30b6b8def4514c25c7606b6d30442b4ab448a4b13"),
            (1, 1000, "11e0391f6c4446e981d9bc0f5c24c68ca833bf4bf435a1bbc06d5b78883fe085"),
            (63, 1, "a5016f5bc6b074511d2413d93cea21f3fc5380ee1e31fdfdf2c6a0e9906e820e"),
            (63, 2, "dc55e3b66c4824e02e79a110b05cc4602bdbbe66405b497ada8d9b80397c0104"),
            (63, 1000, "0d6e86f7217f9d4f434c9ef6e090a78f967d9db80bac5f991b2e5d7b11ad0c7f"),
            (64, 1, "40ecab2e7b2a8871d5d0d4d55d4c62e2a6287edc3e15b12365e02099e33ba725"),
            (64, 2, "115e6c27275416a99c9ab8d9d8ec208e0b99c08466901560522b3c62505349bf"),
            (64, 1000, "bfd83ed8a42eb6e3bf712dcc23e83fc75b5737c1de774a1c9d4e8eb4c19483ec"),
            (65, 1, "6717b54a181cc4eab0658ec2a308c074cdb07bb9f4b08a7664111f61613bad5d"),
            (65, 2, "4b5e27489225c5116a670eeb1304859d58b68ddf5b73b0b10c68d837ff49b532"),
            (65, 1000, "0510a62eb70b8d2c501c14cf8e07a5f5169e9eba1d0a49290bf01db979b046e1"),
            (130, 1000, "44c9c16e6aa2443de19c892432161a6d8a9734f562b050257179a2f90868be20"),
        ])
    func `a password of any length gives the key that Python's hashlib computes`(
        count: Int, iterations: Int, expected: String
    ) {
        let password = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) }
        #expect(keys(password, Array(0..<16), iterations) == [expected, expected])
    }

    @Test func `the keys are those of RFC 8018's formula`() {
        var generator = SeededGenerator(seed: 8018)
        for iterations in 1...40 {
            let password = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let salt = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let key = HMACSHA256.Key(password.span)
            var message = salt + [0, 0, 0, 1]
            var sum = [UInt8](repeating: 0, count: 32)
            for _ in 0..<iterations {
                let code = HMACSHA256.code(for: message.span, key: key)
                message = code.bytes.indices.map { code.bytes[$0] }
                for index in sum.indices { sum[index] ^= message[index] }
            }
            let expected = hexadecimal(sum.span)
            #expect(keys(password, salt, iterations) == [expected, expected])
        }
    }
}

struct PBKDF2SelectionTests {
    @Test func `the selected Wycheproof keys are computed`() throws {
        let lines = try Vectors.lines(of: "pbkdf2.txt", words: 5)
        #expect(lines.count == 27)
        for words in lines {
            let keys = keys(
                [UInt8](hexadecimal: words[1]), [UInt8](hexadecimal: words[2]),
                try #require(Int(words[3])))
            #expect(keys.allSatisfy { $0.hasPrefix(words[4]) }, "tcId \(words[0])")
            #expect(words[4].count >= 32)
        }
    }
}

/// Project Wycheproof, testvectors_v1/pbkdf2_hmacsha256_test.json.
@Suite(.enabled(if: Vectors.areAvailable, "GATEHOUSE_VECTORS is not set"))
struct PBKDF2VectorTests {
    private struct File: Decodable {
        let numberOfTests: Int
        let testGroups: [Group]
    }

    private struct Group: Decodable { let tests: [Case] }

    private struct Case: Decodable {
        let tcId: Int
        let password: String
        let salt: String
        let iterationCount: Int
        let dk: String
        let result: String
    }

    @Test func `all Wycheproof keys are computed`() throws {
        let file = try JSONDecoder().decode(
            File.self, from: Vectors.contents(of: "wycheproof/pbkdf2_hmacsha256_test.json"))
        let cases = file.testGroups.flatMap(\.tests)
        #expect(cases.count == file.numberOfTests)
        for vector in cases {
            #expect(vector.result == "valid")
            let keys = keys(
                [UInt8](hexadecimal: vector.password), [UInt8](hexadecimal: vector.salt),
                vector.iterationCount)
            let expected = vector.dk.prefix(64)
            #expect(keys.allSatisfy { $0.hasPrefix(expected) }, "tcId \(vector.tcId)")
        }
    }
}
