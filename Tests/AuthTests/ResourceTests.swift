import Auth
import HTTP
import JWT
import Testing
import Time

@Suite("The resource")
struct ResourceTests {
    private func content(of users: UserDirectory, for user: Int64) throws -> Answer {
        let resource = Resource(users)
        let claims = Claims(user: UserID(user)!, expires: House.now)
        return try answer(to: get()) { resource.respond(to: $0, from: claims) }
    }

    @Test("is who one is")
    func demo() throws {
        #expect(try content(of: .demo, for: 1).content == #"{"user":{"id":1,"name":"Alice"}}"#)
        #expect(try content(of: .demo, for: 2).content == #"{"user":{"id":2,"name":"Bob"}}"#)
    }

    @Test("is JSON whatever the name")
    func names() throws {
        let users = UserDirectory([
            User(id: UserID(UserID.maximum)!, name: "Zoë \"€😀\"\n\\"),
            User(id: UserID(3)!, name: ""),
        ])
        #expect(
            try content(of: users, for: UserID.maximum).content
                == #"{"user":{"id":9007199254740991,"name":"Zoë \"€😀\"\u000a\\"}}"#)
        #expect(try content(of: users, for: 3).content == #"{"user":{"id":3,"name":""}}"#)
    }

    @Test("is not there for somebody unknown")
    func unknown() throws {
        let answer = try content(of: .demo, for: 3)
        #expect(answer.status == 404)
        #expect(answer.content == #"{"error":"User not found"}"#)
    }
}

@Suite("The user directory")
struct UserDirectoryTests {
    @Test("knows its users, in the order of their ids")
    func users() {
        let users = UserDirectory([10, 2, 1].map { User(id: UserID($0)!, name: "u\($0)") })
        #expect(users.all.map(\.name) == ["u1", "u2", "u10"])
        #expect(users.contains(UserID(10)!))
        #expect(!users.contains(UserID(3)!))
        #expect(UserDirectory([]).all == [])
    }
}
