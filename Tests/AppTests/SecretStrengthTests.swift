import Testing

@testable import App

struct SecretStrengthTests {
    @Test(arguments: [
        (String(repeating: "k", count: 32), "is a single repeated byte"),
        ("kkk", "is a single repeated byte"),
        (String(repeating: "ab", count: 16), "repeats the same 2 bytes"),
        (String(repeating: "abc", count: 11), "repeats the same 3 bytes"),
        (String(repeating: "password", count: 4), "repeats the same 8 bytes"),
        // The last repetition is incomplete.
        (String(repeating: "pass12", count: 6) + "pas", "repeats the same 6 bytes"),
        ("0010111010010101110100010101110100", "has only 2 different bytes"),
        ("abcdefgabcfedgabcdefgfedcbaabcdefg", "has only 7 different bytes"),
        ("secret_key", "is printed in the documentation"),
        (
            "deb22c962a0bf50cfbae963ee6bb99c4a5d2ba780ba9d0b269753f9ec0243d3c",
            "is printed in the documentation"
        ),
    ])
    func `a weak secret is refused with the reason`(secret: String, reason: String) {
        #expect(
            SecretStrength.problem(Array(secret.utf8))
                == "the secret \(reason); make one with `gatehouse secret`")
    }

    @Test(arguments: [
        // A period of nine bytes, and eight different bytes.
        String(repeating: "abcdefghi", count: 4), "abcdefghabcfedghabcdefghfedcbahg",
        // One byte breaks the repetition.
        String(repeating: "password", count: 4) + "!",
        // Too short; the caller reports that.
        "", "abab", "short",
    ])
    func `a secret that only resembles a weak one is accepted`(secret: String) {
        #expect(SecretStrength.problem(Array(secret.utf8)) == nil)
    }

    @Test func `secrets made by gatehouse secret are accepted`() {
        for _ in 0..<100 {
            #expect(SecretStrength.problem(Array(SecretCommand.newSecret().utf8)) == nil)
        }
    }
}
