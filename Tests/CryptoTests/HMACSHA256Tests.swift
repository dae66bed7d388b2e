import Crypto
import Foundation
import TestSupport
import Testing

private func code(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    bytes(of: HMACSHA256.code(for: message.span, key: HMACSHA256.Key(key.span)))
}

private func bytes(of digest: SHA256.Digest) -> [UInt8] {
    digest.bytes.indices.map { digest.bytes[$0] }
}

/// The definition in RFC 2104 §2: H(K ^ opad, H(K ^ ipad, text)).
private func textbookCode(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    func hash(_ message: [UInt8]) -> [UInt8] { bytes(of: SHA256.digest(of: message.span)) }
    let short = key.count > 64 ? hash(key) : key
    let padded = short + Array(repeating: 0, count: 64 - short.count)
    return hash(padded.map { $0 ^ 0x5c } + hash(padded.map { $0 ^ 0x36 } + message))
}

struct HMACSHA256Tests {
    // Case 5 is truncated to 128 bits.
    @Test(
        arguments: [
            (
                1, [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                2, Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                3, [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
            ),
            (
                4, Array(0x01...0x19), [UInt8](repeating: 0xcd, count: 50),
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
            ),
            (
                5, [UInt8](repeating: 0x0c, count: 20), Array("Test With Truncation".utf8),
                "a3b6167473100ee06e0c796c2955552b"
            ),
            (
                6, [UInt8](repeating: 0xaa, count: 131),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
            (
                7, [UInt8](repeating: 0xaa, count: 131),
                Array(
                    ("This is a test using a larger than block-size key and a larger than "
                        + "block-size data. The key needs to be hashed before being used by "
                        + "the HMAC algorithm.").utf8),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
            ),
        ])
    func `the codes of RFC 4231 are computed`(
        number: Int, key: [UInt8], message: [UInt8], expected: String
    ) {
        let expected = [UInt8](hexadecimal: expected)
        #expect(Array(code(key, message).prefix(expected.count)) == expected)
    }

    @Test func `a key of any length from 0 to 130 bytes gives the code of RFC 2104's formula`() {
        let message = Array("what do ya want for nothing?".utf8)
        let different = (0...130).filter { length in
            let key = (0..<length).map { UInt8($0) ^ 0xa5 }
            return code(key, message) != textbookCode(key, message)
        }
        #expect(different == [])
    }

    @Test func `a code does not depend on the pieces of its message`() {
        let key = HMACSHA256.Key(Array("Jefe".utf8).span)
        let message = [UInt8](0..<150)
        let expected = bytes(of: HMACSHA256.code(for: message.span, key: key))
        let different = (0...message.count).filter { cut in
            var hmac = HMACSHA256(key: key)
            hmac.update(Array(message[..<cut]).span)
            hmac.update(Array(message[cut...]).span)
            return bytes(of: hmac.finalize()) != expected
        }
        #expect(different == [])
    }

    @Test func `a code with a changed bit, a missing or an extra byte is invalid`() {
        let secret = Array("a key".utf8)
        let message = Array("a message".utf8)
        let valid = code(secret, message)
        func isValid(_ code: [UInt8]) -> Bool {
            HMACSHA256.isValid(
                code.span, for: message.span, key: HMACSHA256.Key(secret.span))
        }
        #expect(isValid(valid))
        let accepted = (0..<256).filter { bit in
            var changed = valid
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            return isValid(changed)
        }
        #expect(accepted == [])
        #expect(!isValid([]))
        #expect(!isValid(Array(valid.dropLast())))
        #expect(!isValid(valid + [0]))
    }

    @Test func `a derived key is the code of its label`() {
        let secret = Array("the log's own secret".utf8)
        let message = Array("a message".utf8)
        let derived = HMACSHA256.Key(secret.span).derived(label: "seal")

        #expect(
            bytes(of: HMACSHA256.code(for: message.span, key: derived))
                == code(code(secret, Array("seal".utf8)), message))
    }

    @Test func `different labels derive different keys`() {
        let key = HMACSHA256.Key(Array("secret".utf8).span)
        let message: [UInt8] = []
        let seal = HMACSHA256.code(for: message.span, key: key.derived(label: "seal"))
        let fingerprint = HMACSHA256.code(for: message.span, key: key.derived(label: "print"))
        #expect(bytes(of: seal) != bytes(of: fingerprint))
    }

    @Test func `a printed or dumped key reveals nothing`() {
        func shown(_ secret: String) -> String {
            let key = HMACSHA256.Key(Array(secret.utf8).span)
            var text = "\(key) \(String(reflecting: key)) \(HMACSHA256(key: key))"
            dump(key, to: &text)
            return text
        }
        #expect(shown("one secret") == shown("another secret"))
    }
}

struct HMACSHA256SelectionTests {
    @Test func `the selected Wycheproof tags are valid exactly if the file says so`() throws {
        var expected: [UInt8] = []
        var verdicts: [String: Int] = [:]
        for words in try Vectors.lines(of: "hmac.txt", words: 4) {
            if words[0] == "key" {
                let code = code([UInt8](hexadecimal: words[1]), [UInt8](hexadecimal: words[2]))
                expected = Array(code.prefix(try #require(Int(words[3])) / 8))
                continue
            }
            let isValid = [UInt8](hexadecimal: words[2]) == expected
            #expect(isValid == (words[1] == "valid"), "tcId \(words[0])")
            verdicts[words[1], default: 0] += 1
        }
        #expect(verdicts == ["valid": 66, "invalid": 54])
    }
}

/// Project Wycheproof, testvectors_v1/hmac_sha256_test.json: modified, truncated and valid tags.
@Suite(.enabled(if: Vectors.areAvailable, "GATEHOUSE_VECTORS is not set"))
struct HMACSHA256VectorTests {
    private struct File: Decodable {
        let numberOfTests: Int
        let testGroups: [Group]
    }

    private struct Group: Decodable {
        /// In bits; a shorter tag is a prefix of the code.
        let tagSize: Int
        let tests: [Case]
    }

    private struct Case: Decodable {
        let tcId: Int
        let key: String
        let msg: String
        let tag: String
        let result: String
    }

    @Test func `all Wycheproof tags are valid exactly if the file says so`() throws {
        let file = try JSONDecoder().decode(
            File.self, from: Vectors.contents(of: "wycheproof/hmac_sha256_test.json"))
        var count = 0
        for group in file.testGroups {
            for vector in group.tests {
                let code = code(
                    [UInt8](hexadecimal: vector.key), [UInt8](hexadecimal: vector.msg))
                let tag = [UInt8](hexadecimal: vector.tag)
                let isValid = Array(code.prefix(group.tagSize / 8)) == tag
                #expect(isValid == (vector.result == "valid"), "tcId \(vector.tcId)")
                count += 1
            }
        }
        #expect(count == file.numberOfTests)
    }
}
