import JWT
import Testing

@testable import Auth

extension User {
    /// A user with the name `u` and the number.
    static func test(
        _ id: Int64, username: String? = nil, password: PasswordHash? = nil,
        isDisabled: Bool = false
    ) -> User {
        User(
            id: UserID(id)!, username: username ?? "u\(id)", name: "U \(id)", password: password,
            isDisabled: isDisabled)
    }
}

struct UserDirectoryTests {
    @Test func `a directory has its users, sorted by id`() {
        let users = UserDirectory([10, 2, 1].map { User.test($0) })
        #expect(users.all.map(\.username) == ["u1", "u2", "u10"])
        #expect(users.contains(UserID(10)!))
        #expect(!users.contains(UserID(3)!))
        #expect(users[UserID(2)!] == .test(2))
        #expect(users[UserID(3)!] == nil)
        #expect(UserDirectory([]).all == [])
    }

    @Test func `a disabled user is not contained and can still be looked up`() {
        let user = User.test(1, isDisabled: true)
        let users = UserDirectory([user])
        #expect(!users.contains(user.id))
        #expect(users[user.id] == user)
        #expect(users.user(named: "u1") == user)
    }

    @Test func `a name is looked up exactly, in any composition`() {
        let users = UserDirectory([.test(1, username: "zo\u{EB}"), .test(2, username: "alice")])
        #expect(users.user(named: "zo\u{EB}")?.id.rawValue == 1)
        #expect(users.user(named: "zoe\u{308}")?.id.rawValue == 1)
        for text in ["zoe", "Alice", "ALICE", " alice", "alice ", "alice\0", "", "alic"] {
            #expect(users.user(named: text) == nil, "\(text)")
        }
        #expect(users.user(named: String(repeating: "a\u{301}", count: 1 << 16)) == nil)
    }

    @Test func `valid user names are normalized and others are refused`() {
        let long = String(repeating: "\u{E9}", count: 64)
        for (text, name) in [
            ("a", "a"), ("a b", "a b"), ("zoe\u{308}", "zo\u{EB}"), (long, long),
            (String(repeating: "e\u{301}", count: 64), long),
        ] {
            #expect(Username.normalized(text).map { Array($0.utf8) } == Array(name.utf8))
        }
        for text in [
            "", " ", " a", "a ", "a\u{A0}", "\u{3000}a", "a\tb", "a\nb", "a\u{85}b", "a\u{7F}",
            long + "x",
        ] {
            #expect(Username.normalized(text) == nil, "\(text)")
        }
    }

    @Test func `a new hash replaces only the current one`() {
        func hash(_ text: String) -> PasswordHash {
            PasswordHash(of: Password(text)!, iterations: 1000)
        }
        let (old, new, other) = (hash("old"), hash("new"), hash("other"))
        let users = UserDirectory([.test(1, password: old), .test(2, password: other)])
        let id = UserID(1)!
        #expect(users.replacing(old, by: new, of: id)[id]?.password == new)
        #expect(users.replacing(other, by: new, of: id)[id]?.password == old)
        #expect(users.replacing(old, by: new, of: UserID(2)!).all == users.all)
        #expect(users.replacing(old, by: new, of: UserID(3)!).all == users.all)
        // A value type: other copies are unchanged.
        #expect(users[id]?.password == old)
    }

    @Test func `the demo has Alice and Bob, without passwords`() {
        let all = UserDirectory.demo.all
        #expect(all.map(\.username) == ["alice", "bob"])
        #expect(all.map(\.name) == ["Alice", "Bob"])
        #expect(all.map(\.id.rawValue) == [1, 2])
        #expect(all.allSatisfy { $0.password == nil && !$0.isDisabled })
    }
}
