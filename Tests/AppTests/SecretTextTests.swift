import Testing

@testable import App

struct SecretTextTests {
    @Test(arguments: [
        ("secret", "secret"), ("secret\n", "secret"), ("secret\r\n", "secret"),
        ("secret\n\n", "secret\n"), ("secret\r\n\r\n", "secret\r\n"), ("secret\r", "secret\r"),
        ("two\nlines\n", "two\nlines"), ("with\ta tab\n", "with\ta tab"),
        ("gr\u{FC}n\n", "gr\u{FC}n"), ("\n", ""), ("", ""), (" \n", " "),
    ])
    func `the content of a secret file is its text without one line end`(
        content: String, secret: String
    ) {
        #expect(ConfigurationFile.withoutLineEnd(Array(content.utf8)) == Array(secret.utf8))
    }

    @Test(
        arguments: [
            [0xFF, 0x0A], [0x00, 0x61, 0x0A], [0x61, 0x0D, 0x1B, 0x0D, 0x0A], [0x7F, 0x0A],
            [0xC3, 0x0A], [0xED, 0xA0, 0x80, 0x0A],
        ] as [[UInt8]])
    func `a secret file that is not text is used byte for byte, with its final line end`(
        content: [UInt8]
    ) {
        #expect(ConfigurationFile.withoutLineEnd(content) == content)
    }
}
