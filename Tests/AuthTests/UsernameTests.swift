import Foundation
import JWT
import Testing

@testable import Auth

struct UsernameTests {
    @Test(
        arguments: [
            ("Alice", "alice"), ("\u{FF21}lice", "alice"), ("ali\u{200B}ce", "alice"),
            ("ali\u{AD}ce", "alice"), ("STRASSE", "stra\u{DF}e"), ("\u{3A3}", "\u{3C2}"),
            ("a\u{A0}b", "a b"), ("a\u{2003}b", "A b"), ("\u{202E}alice", "alice"),
            ("\u{FF71}", "\u{30A2}"), ("Zo\u{CB}", "zoe\u{308}"), ("alice\u{FE0F}", "alice"),
        ])
    func `names that differ only in case, width or invisible characters fold to one`(
        one: String, other: String
    ) {
        #expect(Username.folded(one) == Username.folded(other))
    }

    @Test(
        arguments: [
            ("alice", "alicf"), ("zo\u{EB}", "zoe"), ("a b", "ab"), ("\u{30A2}", "\u{30A4}"),
            ("\u{430}lice", "alice"),
        ])
    func `other names have different folded forms`(one: String, other: String) {
        #expect(Username.folded(one) != Username.folded(other))
    }

    @Test(
        arguments: [
            ("\u{430}lice", "alice"), ("\u{391}LICE", "alice"), ("AIice", "alice"),
            ("a1ice", "alice"), ("b\u{3BF}b", "bob"), ("b0b", "bob"), ("rnike", "mike"),
            ("\u{412}\u{41E}\u{412}", "bob"), ("\u{440}\u{430}u\u{4CF}", "paul"),
            ("\u{131}van", "ivan"), ("\u{430}\u{301}lice", "\u{E1}lice"),
        ])
    func `names whose letters look alike share a skeleton`(one: String, other: String) {
        #expect(!Username.skeletons(one).isDisjoint(with: Username.skeletons(other)))
    }

    @Test(arguments: [("alice", "alicf"), ("anna", "hanna"), ("bob", "rob"), ("\u{E1}", "a")])
    func `names whose letters do not look alike share no skeleton`(one: String, other: String) {
        #expect(Username.skeletons(one).isDisjoint(with: Username.skeletons(other)))
    }

    @Test func `a name has at most 64 characters, and 256 bytes as presented`() {
        let wide = "\u{20000}"
        #expect(Username.normalized(String(repeating: wide, count: 64)) != nil)
        #expect(Username.normalized(String(repeating: wide, count: 65)) == nil)
        #expect(Username.normalized(String(repeating: "a", count: 64)) != nil)
        #expect(Username.normalized(String(repeating: "a", count: 65)) == nil)
        // Composed, it has 64 characters.
        #expect(Username.normalized(String(repeating: "\u{D55C}", count: 64)) != nil)
        let jamo = "\u{1112}\u{1161}\u{11AB}"
        #expect(
            Username.normalized(String(repeating: jamo, count: 28))
                == String(repeating: "\u{D55C}", count: 28))
        #expect(Username.normalized(String(repeating: jamo, count: 29)) == nil)
    }

    @Test func `a text that is too long in any composition is refused before it is composed`() {
        let sample: [Unicode.Scalar] = [
            "a", "\u{E9}", "\u{300}", "\u{315}", "\u{5AE}", "\u{958}", "\u{1100}", "\u{1161}",
            "\u{11A8}", "\u{9C7}", "\u{9BE}", "\u{1F82}", "\u{1D160}", "\u{4E00}",
        ]
        // A name that is short enough in NFC is never refused.
        for first in sample {
            for second in sample {
                for length in 1...64 {
                    var text = String.UnicodeScalarView()
                    for index in 0..<length { text.append(index % 2 == 0 ? first : second) }
                    let name = String(text)
                    guard name.utf8.count <= 256 else { continue }
                    let composed = name.precomposedStringWithCanonicalMapping
                    #expect(
                        (composed.unicodeScalars.count <= 64)
                            == (Username.normalized(name).map { $0 == composed } ?? false))
                }
            }
        }
    }

    @Test func `an invalid name is counted by its first 256 bytes and belongs to no user`() {
        let long = String(repeating: "\u{20000}", count: 64)
        let directory = UserDirectory([User(id: .init(1)!, username: long, name: "Long")])
        #expect(directory.user(named: long) != nil)
        #expect(directory.user(named: long + "x") == nil)
        #expect(PresentedName(long + "x").canonical == Array(long.utf8))
        #expect(PresentedName(long + "x") != PresentedName(long))
        #expect(PresentedName("zoe\u{308}") == PresentedName("zo\u{EB}"))
    }
}
