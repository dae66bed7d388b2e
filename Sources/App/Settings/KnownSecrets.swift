import Crypto

/// Published secrets: attackers know them and try them first.
enum KnownSecrets {
    static func contains(_ secret: [UInt8]) -> Bool {
        texts.contains { $0.utf8.elementsEqual(secret) }
            || encoded.contains { (try? Base64URL.decoded(Array($0.utf8).span)) == secret }
    }

    private static let texts =
        [
            // README and the example.
            "replace-me-with-the-output-of-gatehouse-secret",
            // A seal's MAC in README.
            "deb22c962a0bf50cfbae963ee6bb99c4a5d2ba780ba9d0b269753f9ec0243d3c",
            // Tutorials.
            "secret_key", "SECRET_KEY", "secret", "secret-key", "your-secret-key",
            "your_secret_key",
            // The debugger at jwt.io, current and former versions.
            "your-256-bit-secret", "your-384-bit-secret", "your-512-bit-secret",
            "a-string-secret-at-least-256-bits-long",
            "a-valid-string-secret-that-is-at-least-384-bits-long",
            "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
            // The security chapter of FastAPI's tutorial.
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        ] + encoded

    /// Base64url texts. Both the decoded bytes and the text itself are refused, because some
    /// programs use the text as the key.
    private static let encoded = [
        // RFC 7515 appendix A.1.
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        // RFC 7520 §3.5.
        "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    ]
}
