import Crypto
import Testing

private func encoded(_ bytes: [UInt8]) -> String {
    String(decoding: Base64URL.encoded(bytes.span), as: UTF8.self)
}

private func decoded(_ text: String) throws(Base64URL.DecodingError) -> [UInt8] {
    try decoded(Array(text.utf8))
}

private func decoded(_ text: [UInt8]) throws(Base64URL.DecodingError) -> [UInt8] {
    try Base64URL.decoded(text.span)
}

private func encodings(of bytes: some Sequence<[UInt8]>) -> Set<[UInt8]> {
    Set(bytes.map { Base64URL.encoded($0.span) })
}

private let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

struct Base64URLTests {
    // RFC 4648 §10, without the padding, as required by RFC 7515 §2.
    @Test(
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"),
        ])
    func `the examples of RFC 4648 are encoded and decoded`(bytes: String, text: String) throws {
        #expect(encoded(Array(bytes.utf8)) == text)
        #expect(try decoded(text) == Array(bytes.utf8))
    }

    @Test func `the header and claims of RFC 7515 appendix A.1 are encoded and decoded`() throws {
        let header = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"
        let claims =
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
            + "\"http://example.com/is_root\":true}"
        let headerText = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        let claimsText =
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
            + "Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

        #expect(encoded(Array(header.utf8)) == headerText)
        #expect(try decoded(headerText) == Array(header.utf8))
        #expect(encoded(Array(claims.utf8)) == claimsText)
        #expect(try decoded(claimsText) == Array(claims.utf8))
    }

    @Test
    func `the key of RFC 7515 appendix A.1, which contains - and _, is encoded and decoded`() throws
    {
        let text =
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
        let key: [UInt8] = [
            3, 35, 53, 75, 43, 15, 165, 188, 131, 126, 6, 101, 119, 123, 166, 143, 90, 179, 40,
            230, 240, 84, 201, 40, 169, 15, 132, 178, 210, 80, 46, 191, 211, 251, 90, 146, 210, 6,
            71, 239, 150, 138, 180, 195, 119, 98, 61, 34, 61, 46, 33, 114, 5, 46, 79, 8, 192, 205,
            154, 245, 103, 208, 128, 163,
        ]
        #expect(try decoded(text) == key)
        #expect(encoded(key) == text)
    }

    @Test(arguments: 0...100)
    func `encodedCount and decodedCount give the exact sizes`(count: Int) {
        let text = Base64URL.encoded([UInt8](repeating: 0, count: count).span)
        #expect(Base64URL.encodedCount(count) == text.count)
        #expect(Base64URL.decodedCount(text.count) == count)
    }

    @Test func `every byte value is encoded at every position of a group`() throws {
        let bytes = [UInt8](0...255)
        for shift in 0..<3 {
            let message = Array(repeating: 0xff, count: shift) + bytes
            #expect(try decoded(encoded(message)) == message)
        }
    }

    @Test func `encode appends to existing text`() {
        var text = Array("token=".utf8)
        Base64URL.encode([0xfb, 0xff].span, appendingTo: &text)
        #expect(String(decoding: text, as: UTF8.self) == "token=-_8")
    }

    @Test func `a text of two characters is valid exactly if it encodes some byte`() {
        let bytes = (0...255).map { [UInt8($0)] }
        let readable = alphabet.flatMap { a in
            alphabet.compactMap { b in (try? decoded([a, b])) == nil ? nil : [a, b] }
        }
        #expect(bytes.allSatisfy { (try? decoded(encoded($0))) == $0 })
        #expect(readable.count == 256)
        #expect(Set(readable) == encodings(of: bytes))
    }

    @Test func `a text of three characters is valid exactly if it encodes some two bytes`() {
        let bytes = (0...65_535).map { [UInt8($0 >> 8), UInt8($0 & 255)] }
        let readable = alphabet.flatMap { a in
            alphabet.flatMap { b in
                alphabet.compactMap { c in (try? decoded([a, b, c])) == nil ? nil : [a, b, c] }
            }
        }
        #expect(
            bytes.allSatisfy { (try? Base64URL.decoded(Base64URL.encoded($0.span).span)) == $0 })
        #expect(readable.count == 65_536)
        #expect(Set(readable) == encodings(of: bytes))
    }

    @Test(
        arguments: [
            // Padding.
            ("Zg==", .invalidCharacter(at: 2)), ("Zg=", .invalidCharacter(at: 2)),
            ("Zm8=", .invalidCharacter(at: 3)), ("=", .invalidLength),
            ("==", .invalidCharacter(at: 0)),
            ("Zm9v====", .invalidCharacter(at: 4)),
            // White space.
            (" Zg", .invalidCharacter(at: 0)), ("Zg ", .invalidCharacter(at: 2)),
            ("Z g", .invalidCharacter(at: 1)), ("Zm9\n", .invalidCharacter(at: 3)),
            ("Zm9v\r\n", .invalidCharacter(at: 4)), ("Zm9v\n", .invalidLength),
            ("Zm\t9vY", .invalidCharacter(at: 2)),
            // The standard base64 alphabet.
            ("+w", .invalidCharacter(at: 0)), ("__+_", .invalidCharacter(at: 2)),
            ("_/_", .invalidCharacter(at: 1)), ("Zm9v//8", .invalidCharacter(at: 4)),
            // Bytes of neither alphabet.
            ("Z\0", .invalidCharacter(at: 1)), ("Zm9vZ\0", .invalidCharacter(at: 5)),
            ("Zm9.", .invalidCharacter(at: 3)), ("Zm\u{E9}", .invalidCharacter(at: 2)),
            // Six bits are less than a byte.
            ("A", .invalidLength), ("Zm9vY", .invalidLength), ("Zm9vYmFyA", .invalidLength),
            // Nonzero unused bits.
            ("Zh", .nonzeroTrailingBits), ("Zo", .nonzeroTrailingBits),
            ("Zx", .nonzeroTrailingBits), ("Z_", .nonzeroTrailingBits),
            ("Zm9", .nonzeroTrailingBits), ("Zm-", .nonzeroTrailingBits),
            ("Zm9vYh", .nonzeroTrailingBits),
            ("Zm9vYmF", .nonzeroTrailingBits),
            // An invalid character is reported before stray bits, and the first one of several.
            ("*_", .invalidCharacter(at: 0)), ("Z=9*Zh", .invalidCharacter(at: 1)),
        ] as [(String, Base64URL.DecodingError)])
    func `a text that is not canonical is refused with its reason`(
        text: String, error: Base64URL.DecodingError
    ) {
        #expect(throws: error) { try decoded(text) }
    }

    @Test(arguments: [2, 3, 4, 6, 7, 8])
    func `each of the 192 bytes outside the alphabet is refused at every position`(count: Int) {
        let invalid = (0...255).filter { !alphabet.contains($0) }
        #expect(invalid.count == 192)
        for byte in invalid {
            for index in 0..<count {
                var text = Array(repeating: UInt8(ascii: "A"), count: count)
                text[index] = byte
                #expect(throws: Base64URL.DecodingError.invalidCharacter(at: index)) {
                    try decoded(text)
                }
            }
        }
    }

    @Test(arguments: 0..<6)
    func `a buffer that is too small is refused and not written`(size: Int) {
        var buffer = [UInt8](repeating: 0xee, count: size)
        #expect(throws: Base64URL.DecodingError.tooLong) {
            var span = buffer.mutableSpan
            _ = try Base64URL.decode(Array("Zm9vYmFy".utf8).span, into: &span)
        }
        #expect(buffer == [UInt8](repeating: 0xee, count: size))
    }

    @Test(arguments: 6...9)
    func `decoding fills the front of a larger buffer and leaves the rest unchanged`(size: Int)
        throws
    {
        var buffer = [UInt8](repeating: 0xee, count: size)
        var span = buffer.mutableSpan
        let count = try Base64URL.decode(Array("Zm9vYmFy".utf8).span, into: &span)
        #expect(count == 6)
        #expect(buffer == Array("foobar".utf8) + [UInt8](repeating: 0xee, count: size - 6))
    }
}
