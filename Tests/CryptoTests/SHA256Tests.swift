import Crypto
import Foundation
import TestSupport
import Testing

/// The digest in hexadecimal.
private func digest(_ message: some Sequence<UInt8>) -> String {
    hexadecimal(SHA256.digest(of: Array(message).span).span)
}

/// The digest of a message that arrives in two pieces.
private func digest(_ first: ArraySlice<UInt8>, _ second: ArraySlice<UInt8>) -> String {
    var hash = SHA256()
    hash.update(Array(first).span)
    hash.update(Array(second).span)
    return hexadecimal(hash.finalize().span)
}

struct SHA256Tests {
    @Test(
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                    + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ])
    func `the digests of FIPS 180-4 and its examples are computed`(
        message: String, expected: String
    ) {
        #expect(digest(message.utf8) == expected)
    }

    @Test func `the digest of a million times the letter a is that of FIPS 180-4`() {
        let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        #expect(digest(repeatElement(UInt8(ascii: "a"), count: 1_000_000)) == expected)
    }

    @Test(
        arguments: [
            (
                "d3",
                "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"
            ),
            (
                "11af",
                "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"
            ),
            (
                "b4190e",
                "dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2"
            ),
            (
                "74ba2521",
                "b16aa56be3880d18cd41e68384cf1ec8c17680c45a02b1575dc1518923ae8b0e"
            ),
            (
                "5738c929c4f4ccb6",
                "963bb88f27f512777aab6c8b1a02c70ec0ad651d428f870036e1917120fb48bf"
            ),
            (
                "95a765809caf30ada90ad6d61c2b4b30250df0a7ce23b7753c9187f4319ce2",
                "a4139b74b102cf1e2fce229a6cd84c87501f50afa4c80feacf7d8cf5ed94f042"
            ),
            (
                "09fc1accc230a205e4a208e64a8f204291f581a12756392da4b8c0cf5ef02b95",
                "4f44c1c7fbebb6f9601829f3897bfd650c56fa07844be76489076356ac1886a4"
            ),
            (
                "25362a4b9d74bde6128c4fdc672305900947bc3ada9d9d316ebcf1667ad43631"
                    + "89937251f149c72e064a48608d940b7574b17fefc0df",
                "f8e4ccab6c979229f6066cc0cb0cfa81bb21447c16c68773be7e558e9f9d798d"
            ),
            (
                "3ebfb06db8c38d5ba037f1363e118550aad94606e26835a01af05078533cc25f"
                    + "2f39573c04b632f62f68c294ab31f2a3e2a1a0d8c2be51",
                "6595a2ef537a69ba8583dfbf7f5bec0ab1f93ce4c8ee1916eff44a93af5749c4"
            ),
            (
                "2d52447d1244d2ebc28650e7b05654bad35b3a68eedc7f8515306b496d75f3e7"
                    + "3385dd1b002625024b81a02f2fd6dffb6e6d561cb7d0bd7a",
                "cfb88d6faf2de3a69d36195acec2e255e2af2b7d933997f348e09f6ce5758360"
            ),
            (
                "4cace422e4a015a75492b3b3bbfbdf3758eaff4fe504b46a26c90dacc119fa90"
                    + "50f603d2b58b398cad6d6d9fa922a154d9e0bc4389968274b0",
                "4d54b2d284a6794581224e08f675541c8feab6eefa3ac1cfe5da4e03e62f72e4"
            ),
            (
                "e2f76e97606a872e317439f1a03fcd92e632e5bd4e7cbc4e97f1afc19a16fde9"
                    + "2d77cbe546416b51640cddb92af996534dfd81edb17c4424cf1ac4d75aceeb",
                "18041bd4665083001fba8c5411d2d748e8abbfdcdfd9218cb02b68a78e7d4c23"
            ),
            (
                "5a86b737eaea8ee976a0a24da63e7ed7eefad18a101c1211e2b3650c5187c2a8"
                    + "a650547208251f6d4237e661c7bf4c77f335390394c37fa1a9f9be836ac28509",
                "42e61e174fbb3897d6dd6cef3dd2802fe67b331953b06114a65c772859dfc1aa"
            ),
        ])
    func `selected digests of NIST's SHA256ShortMsg are computed`(message: String, expected: String)
    {
        #expect(digest([UInt8](hexadecimal: message)) == expected)
    }

    // The messages are 00 01 02 … of 0 to 200 bytes; the digest of their digests was computed with
    // Python's hashlib.
    @Test func `messages of 0 to 200 bytes have the digests that Python's hashlib computes`() {
        var all = SHA256()
        for length in 0...200 {
            all.update(SHA256.digest(of: Array(0..<UInt8(length)).span).span)
        }
        #expect(
            hexadecimal(all.finalize().span)
                == "64ef7c229fce2408b5336b6a542fea0e078c3a87d2da85cb3fc52e2008b65021")
    }

    @Test func `a digest does not depend on where a message of up to 200 bytes is split`() {
        let message = [UInt8](0..<200)
        for length in 0...200 {
            let expected = digest(message[..<length])
            let different = (0...length).filter { cut in
                digest(message[..<cut], message[cut..<length]) != expected
            }
            #expect(different == [], "length \(length)")
        }
    }

    @Test func `a message that arrives byte by byte, with empty pieces, has the same digest`() {
        let message = [UInt8](0..<200)
        let nothing: [UInt8] = []
        var hash = SHA256()
        for byte in message {
            hash.update([byte].span)
            hash.update(nothing.span)
        }
        #expect(hexadecimal(hash.finalize().span) == digest(message))
    }

    @Test(
        arguments: [0, 1, 63, 64, 65, 128])
    func `a copy of a partial hash continues independently of the original`(taken: Int) {
        let beginning = Array(repeating: UInt8(ascii: "x"), count: taken)
        var original = SHA256()
        original.update(beginning.span)

        var copy = original
        copy.update(Array("one way".utf8).span)
        original.update(Array("the other".utf8).span)

        #expect(hexadecimal(copy.finalize().span) == digest(beginning + "one way".utf8))
        #expect(hexadecimal(original.finalize().span) == digest(beginning + "the other".utf8))
    }

    @Test func `a printed or dumped hash reveals nothing of its state`() {
        var hash = SHA256()
        hash.update(Array("a secret".utf8).span)
        #expect("\(hash)" == "\(SHA256())")
        #expect(String(reflecting: hash) == String(reflecting: SHA256()))
        #expect(Mirror(reflecting: hash).children.isEmpty)
    }
}

struct SHA256SelectionTests {
    @Test func `the selected digests of NIST's long messages are computed`() throws {
        let lines = try Vectors.lines(of: "sha256.txt", words: 3).filter { $0[0] == "message" }
        #expect(lines.count == 5)
        for words in lines { #expect(digest([UInt8](hexadecimal: words[1])) == words[2]) }
    }

    @Test func `the first digests of NIST's Monte Carlo test are computed`() throws {
        let lines = try Vectors.lines(of: "sha256.txt", words: 2)
        let seed = try #require(lines.first { $0[0] == "seed" })[1]
        let digests = lines.filter { $0[0] == "digest" }.map { $0[1] }
        #expect(digests.count == 10)
        #expect(monteCarloDigests(seed, count: digests.count) == digests)
    }
}

/// SHAVS §6.4: each message consists of the last three digests; every thousandth digest is a
/// checkpoint and the next seed.
private func monteCarloDigests(_ seed: String, count: Int) -> [String] {
    var seed = [UInt8](hexadecimal: seed)
    return (0..<count).map { _ in
        var last = [seed, seed, seed]
        for _ in 0..<1000 {
            let digest = SHA256.digest(of: (last[0] + last[1] + last[2]).span)
            last = [last[1], last[2], digest.span.indices.map { digest.bytes[$0] }]
        }
        seed = last[2]
        return hexadecimal(seed.span)
    }
}

/// NIST's Cryptographic Algorithm Validation Program, SHA test vectors for byte-oriented
/// implementations.
@Suite(.enabled(if: Vectors.areAvailable, "GATEHOUSE_VECTORS is not set"))
struct SHA256VectorTests {
    @Test(
        arguments: [("SHA256ShortMsg.rsp", 65), ("SHA256LongMsg.rsp", 64)])
    func `all digests of a NIST file are computed`(file: String, count: Int) throws {
        let lines = try Self.fields(of: file)
        let lengths = lines.filter { $0.name == "Len" }.map { Int($0.value)! / 8 }
        let messages = lines.filter { $0.name == "Msg" }.map { [UInt8](hexadecimal: $0.value) }
        let digests = lines.filter { $0.name == "MD" }.map(\.value)
        // The empty message is written `Len = 0`, `Msg = 00`.
        let computed = zip(lengths, messages).map { digest($1.prefix($0)) }
        #expect(computed.count == count)
        #expect(computed == digests)
    }

    @Test func `all digests of NIST's Monte Carlo file are computed`() throws {
        let lines = try Self.fields(of: "SHA256Monte.rsp")
        let seed = try #require(lines.first { $0.name == "Seed" }).value
        let digests = lines.filter { $0.name == "MD" }.map(\.value)
        #expect(digests.count == 100)
        #expect(monteCarloDigests(seed, count: digests.count) == digests)
    }

    /// The lines `name = value` of a response file.
    private static func fields(of file: String) throws -> [(name: String, value: String)] {
        let text = String(decoding: try Vectors.contents(of: "nist/\(file)"), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            return words.count == 3 && words[1] == "=" ? (words[0], words[2]) : nil
        }
    }
}
