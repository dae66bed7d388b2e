import POSIX
import Testing

@testable import Auth

@Suite("A password")
struct PasswordTests {
    private func bytes(_ password: Password?) -> [UInt8]? {
        password.map { [UInt8](copying: $0.utf8) }
    }

    @Test(
        "is one, however it was typed",
        arguments: [
            ("caf\u{E9} noir", "cafe\u{301} noir"), ("\u{C5}ngstrom", "\u{212B}ngstrom"),
            ("correct horse", "correct\u{A0}horse"), ("correct horse", "correct\u{3000}horse"),
            ("correct horse", "correct\u{2009}horse"), ("\u{D55C}\u{AE00}", "한글"),
        ])
    func normalization(one: String, other: String) {
        #expect(bytes(Password(one)) == Array(one.utf8))
        #expect(bytes(Password(one)) == bytes(Password(other)))
    }

    @Test(arguments: [
        "", "x", "correct horse", "correct\u{A0}horse", "cafe\u{301} noir", "a\nb", "a\u{7F}b",
        "a\u{0}b", "a\u{85}b", String(repeating: "a", count: 1024),
        String(repeating: "a", count: 1025), String(repeating: "e\u{301}", count: 512),
        String(repeating: "a", count: 5000),
    ])
    func `from the bytes of a request is the same as from a text`(text: String) {
        let secret = SecretBytes(Array(text.utf8))
        #expect(bytes(Password(utf8: secret)) == bytes(Password(text)))
    }

    @Test(
        "is another where a letter, its case or its width is",
        arguments: [
            ("Password x", "password x"), ("correct horse", "correct  horse"),
            ("correct horse", "correct horse "), ("\u{FB01}sh and chips", "fish and chips"),
            ("\u{FF41}bcdefghi", "abcdefghi"),
        ])
    func differences(one: String, other: String) {
        #expect(bytes(Password(one)) != bytes(Password(other)))
    }

    @Test(
        "that is new is refused for what it is",
        arguments: [
            ("1234567", .tooShort), ("", .tooShort), ("ééé", .tooShort),
            (String(repeating: "a", count: 1025), .tooLong),
            (String(repeating: "e\u{301}", count: 513), .tooLong),
            (String(repeating: "a", count: 100_000), .tooLong),
            ("tab\tin the middle", .hasControlCharacters), ("nul\0l12345", .hasControlCharacters),
            ("next line\u{85}", .hasControlCharacters), ("delete\u{7F}d", .hasControlCharacters),
            ("j\u{F6}rg.smith", .isUsername), ("J\u{D6}RG.Smith", .isUsername),
            ("jo\u{308}rg.smith", .isUsername), ("password", .isCommon), ("PassWord1", .isCommon),
            ("12345678", .isCommon), ("qwertyuiop", .isCommon),
        ] as [(String, PasswordError)])
    func refusals(text: String, reason: PasswordError) {
        #expect(throws: reason) { try Password(new: text, for: "j\u{F6}rg.smith") }
    }

    @Test(
        "that is new needs no more than 8 to 1,024 bytes",
        arguments: [
            "12345679", "        x", "no digits at all", String(repeating: "a", count: 1024),
            // 1,024 bytes once they are composed.
            String(repeating: "e\u{301}", count: 512), "😀😀",
        ])
    func acceptance(text: String) throws {
        let password = try Password(new: text, for: "alice")
        #expect(bytes(password) == bytes(Password(text)))
    }

    @Test("to log in with may be short, but neither endless nor full of control characters")
    func login() {
        #expect(bytes(Password("")) == [])
        #expect(bytes(Password("short")) == Array("short".utf8))
        #expect(bytes(Password(String(repeating: "a", count: 1024)))?.count == 1024)
        #expect(bytes(Password(String(repeating: "a", count: 1025))) == nil)
        #expect(bytes(Password(String(repeating: "e\u{301}", count: 1 << 16))) == nil)
        #expect(bytes(Password("line\nline")) == nil)
    }

    @Test("is among the commonest only where it is long enough to be one")
    func common() {
        #expect(CommonPasswords.all.count >= 100)
        for text in CommonPasswords.all {
            #expect(Password.sizes.contains(text.utf8.count), "\(text)")
            #expect(text == text.lowercased())
        }
    }
}
