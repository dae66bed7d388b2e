import Testing

@testable import App

struct SpellingTests {
    @Test(arguments: [
        ("", "", 0), ("port", "port", 0), ("", "port", 4), ("port", "", 4), ("prot", "port", 2),
        ("hots", "host", 2), ("maxsize", "max_size", 1), ("servers", "server", 1),
        ("kitten", "sitting", 3),
    ])
    func `the distance is the number of inserted, removed and replaced characters`(
        a: String, b: String, distance: Int
    ) {
        #expect(Spelling.distance(a, b) == distance)
        #expect(Spelling.distance(b, a) == distance)
    }

    @Test(arguments: [
        ("server.hots", "server.host"), ("server.por", "server.port"), ("log.leve", "log.level"),
        ("log.sael", "log.seal"),
    ])
    func `the nearest name is suggested`(name: String, nearest: String) {
        let names: Set = ["server.host", "server.port", "log.level", "log.seal"]
        #expect(Spelling.nearest(to: name, in: names) == nearest)
    }

    @Test(arguments: ["server.xyz", "", "x", "server.host.name", "unrelated"])
    func `a name that differs in more than two characters has no suggestion`(name: String) {
        let names: Set = ["server.host", "server.port"]
        #expect(Spelling.nearest(to: name, in: names) == nil)
    }

    @Test func `of equally near names the first in alphabetical order is suggested`() {
        #expect(Spelling.nearest(to: "c", in: ["b", "a", "d"]) == "a")
        #expect(Spelling.nearest(to: "ab", in: ["abcd", "abc", "b"]) == "abc")
        #expect(Spelling.nearest(to: "a", in: []) == nil)
    }
}
