/// Known-answer tests, run once at start-up: a build with wrong arithmetic must not serve.
package enum SelfTest {
    package struct Failure: Error, Equatable {
        /// The name of the test that failed.
        package let check: String
    }

    package static func run() throws(Failure) {
        // The examples of FIPS 180-4: one block, and a message whose padding needs a second block.
        try check(
            "SHA-256 of \"abc\"", SHA256.digest(of: Array("abc".utf8).span).span,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let twoBlocks = Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)
        try check(
            "SHA-256 of two blocks", SHA256.digest(of: twoBlocks.span).span,
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        // RFC 4231 test case 2.
        try check(
            "HMAC-SHA256",
            HMACSHA256.code(
                for: Array("what do ya want for nothing?".utf8).span,
                key: HMACSHA256.Key(Array("Jefe".utf8).span)
            ).span,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        // Computed with Python's hashlib: the first example of RFC 7914 §11, with one more
        // iteration.
        try check(
            "PBKDF2-HMAC-SHA256",
            PBKDF2.key(
                password: Array("passwd".utf8).span, salt: Array("salt".utf8).span, iterations: 2
            ).span,
            "2d412f896e76685e30df569f0a740634e31f031f749d607d9e44210bffb91a6a")
        // RFC 7515 appendix A.1.1: the octets of its header, in base64url.
        let header = Array("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}".utf8)
        let text = Array("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9".utf8)
        guard Base64URL.encoded(header.span) == text, (try? Base64URL.decoded(text.span)) == header
        else { throw Failure(check: "base64url") }
    }

    private static func check(
        _ name: String, _ bytes: Span<UInt8>, _ expected: String
    ) throws(Failure) {
        guard hexadecimal(bytes) == expected else { throw Failure(check: name) }
    }
}
