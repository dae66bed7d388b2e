import Testing

@testable import App

@Suite("A weak key")
struct WeakKeysTests {
    @Test(
        "is told for what it is",
        arguments: [
            (String(repeating: "k", count: 32), "is one byte over and over"),
            ("kkk", "is one byte over and over"),
            (String(repeating: "ab", count: 16), "is 2 bytes over and over"),
            (String(repeating: "abc", count: 11), "is 3 bytes over and over"),
            (String(repeating: "password", count: 4), "is 8 bytes over and over"),
            // Cut in the middle of a word.
            (String(repeating: "pass12", count: 6) + "pas", "is 6 bytes over and over"),
            ("0010111010010101110100010101110100", "has only 2 different bytes"),
            ("abcdefgabcfedgabcdefgfedcbaabcdefg", "has only 7 different bytes"),
            ("secret_key", "is printed in the documentation"),
            (
                "deb22c962a0bf50cfbae963ee6bb99c4a5d2ba780ba9d0b269753f9ec0243d3c",
                "is printed in the documentation"
            ),
        ])
    func weak(secret: String, words: String) {
        #expect(
            SecretStrength.problem(Array(secret.utf8))
                == "the secret \(words); make one with `gatehouse secret`")
    }

    @Test(
        "is not what only looks like one",
        arguments: [
            // Nine bytes over and over, and eight different ones.
            String(repeating: "abcdefghi", count: 4), "abcdefghabcfedghabcdefghfedcbahg",
            // One byte stands against the repetition.
            String(repeating: "password", count: 4) + "!",
            // Short ones are told that they are short.
            "", "abab", "short",
        ])
    func others(secret: String) {
        #expect(SecretStrength.problem(Array(secret.utf8)) == nil)
    }

    @Test("is not what `gatehouse secret` makes")
    func made() {
        for _ in 0..<100 {
            #expect(SecretStrength.problem(Array(SecretCommand.newSecret().utf8)) == nil)
        }
    }
}
