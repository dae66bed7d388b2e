import POSIX
import Testing

@testable import Auth

struct PasswordTests {
    private func bytes(_ password: Password?) -> [UInt8]? {
        password.map { [UInt8](copying: $0.utf8) }
    }

    @Test(
        arguments: [
            ("caf\u{E9} noir", "cafe\u{301} noir"), ("\u{C5}ngstrom", "\u{212B}ngstrom"),
            ("correct horse", "correct\u{A0}horse"), ("correct horse", "correct\u{3000}horse"),
            ("correct horse", "correct\u{2009}horse"), ("\u{D55C}\u{AE00}", "한글"),
        ])
    func `a password does not depend on how it was typed`(one: String, other: String) {
        #expect(bytes(Password(one)) == Array(one.utf8))
        #expect(bytes(Password(one)) == bytes(Password(other)))
    }

    @Test(arguments: [
        "", "x", "correct horse", "correct\u{A0}horse", "cafe\u{301} noir", "a\nb", "a\u{7F}b",
        "a\u{0}b", "a\u{85}b", String(repeating: "a", count: 1024),
        String(repeating: "a", count: 1025), String(repeating: "e\u{301}", count: 512),
        String(repeating: "a", count: 5000),
    ])
    func `a password from bytes equals the same password from text`(text: String) {
        let secret = SecretBytes(Array(text.utf8))
        #expect(bytes(Password(utf8: secret)) == bytes(Password(text)))
    }

    @Test(
        arguments: [
            ("Password x", "password x"), ("correct horse", "correct  horse"),
            ("correct horse", "correct horse "), ("\u{FB01}sh and chips", "fish and chips"),
            ("\u{FF41}bcdefghi", "abcdefghi"),
        ])
    func `passwords that differ in a letter, its case or its width are different`(
        one: String, other: String
    ) {
        #expect(bytes(Password(one)) != bytes(Password(other)))
    }

    @Test(
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
    func `a new password that breaks a rule is refused with the reason`(
        text: String, reason: PasswordError
    ) {
        #expect(throws: reason) { try Password(new: text, for: "j\u{F6}rg.smith") }
    }

    @Test(
        arguments: [
            "90271846", "        x", "no digits at all", String(repeating: "a", count: 1024),
            // 1,024 bytes after composition.
            String(repeating: "e\u{301}", count: 512), "😀😀",
        ])
    func `a new password needs only 8 to 1,024 bytes`(text: String) throws {
        let password = try Password(new: text, for: "alice")
        #expect(bytes(password) == bytes(Password(text)))
    }

    @Test
    func `a password for a login may be short, but not too long or with control characters`() {
        #expect(bytes(Password("")) == [])
        #expect(bytes(Password("short")) == Array("short".utf8))
        #expect(bytes(Password(String(repeating: "a", count: 1024)))?.count == 1024)
        #expect(bytes(Password(String(repeating: "a", count: 1025))) == nil)
        #expect(bytes(Password(String(repeating: "e\u{301}", count: 1 << 16))) == nil)
        #expect(bytes(Password("line\nline")) == nil)
    }

    @Test func `the list of common passwords is sorted, and every word in it is found`() {
        let words = CommonPasswords.all.split(separator: " ").map { Array($0.utf8) }
        #expect(words.count > 3500)
        for (one, other) in zip(words, words.dropFirst()) {
            #expect(one.lexicographicallyPrecedes(other))
        }
        for word in words {
            #expect(CommonPasswords.isListed(word), "\(text(word))")
            #expect(word == CommonPasswords.folded(word[...]), "\(text(word))")
            #expect(!CommonPasswords.isListed(word + [UInt8(ascii: "~")]))
        }
        #expect(!CommonPasswords.isListed([]))
        #expect(!CommonPasswords.isListed(Array("password password".utf8)))
    }

    @Test(
        arguments: [
            "Winter2026!", "P@ssw0rd1", "$ummer2026", "2026Winter", "!!dragon!!", "Passw0rd123!",
            "1l0veyou1", "QWERTY-123", "12345678", "00000000", "welcome@2026",
        ])
    func `a common password is refused with digits and signs in it or around it`(text: String) {
        #expect(throws: PasswordError.isCommon) { try Password(new: text, for: "joerg.smith") }
    }

    @Test(
        arguments: [
            ("alice", "alicealice"), ("alice", "alice1234"), ("alice", "Alice2026!"),
            ("alice", "4l1c34l1c3"), ("alice", "2026alice"), ("alice", "aliceALICEalice9"),
            ("john.smith", "JohnSmith99"), ("bob2", "bob2bob2"), ("a", "aaaa-aaaa"),
            ("zo\u{EB}", "Zo\u{CB}2026!"), ("alice", "alice_alice"),
        ])
    func `a password that repeats the user name or adds digits to it is refused`(
        username: String, text: String
    ) {
        #expect(throws: PasswordError.isUsername) { try Password(new: text, for: username) }
    }

    @Test(
        arguments: [
            ("alice", "alice in wonderland"), ("al", "almanac of birds"), ("bob", "bobsleigh race"),
            ("alice", "winter is coming soon"), ("alice", "dragon48291057362"),
            ("-", "--- a long one"), ("alice", "correct horse battery staple"),
        ])
    func `a password that only starts with a common word or the user name is accepted`(
        username: String, text: String
    ) throws {
        _ = try Password(new: text, for: username)
    }
}
