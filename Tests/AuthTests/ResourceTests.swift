import Auth
import HTTP
import JWT
import Testing
import Time

struct ResourceTests {
    private func content(of users: UserDirectory, for user: Int64) throws -> Answer {
        let resource = Resource(users)
        let claims = Claims(user: UserID(user)!, expires: AuthFixture.now)
        return try answer(to: get()) { resource.respond(to: $0, from: claims) }
    }

    @Test func `the resource is the user's id and name`() throws {
        #expect(try content(of: .demo, for: 1).content == #"{"user":{"id":1,"name":"Alice"}}"#)
        #expect(try content(of: .demo, for: 2).content == #"{"user":{"id":2,"name":"Bob"}}"#)
    }

    @Test func `the resource is valid JSON for every name`() throws {
        let users = UserDirectory([
            User(id: UserID(UserID.maximum)!, username: "zoe", name: "Zoë \"€😀\"\n\\"),
            User(id: UserID(3)!, username: "nobody", name: ""),
        ])
        #expect(
            try content(of: users, for: UserID.maximum).content
                == #"{"user":{"id":9007199254740991,"name":"Zoë \"€😀\"\u000a\\"}}"#)
        #expect(try content(of: users, for: 3).content == #"{"user":{"id":3,"name":""}}"#)
    }

    @Test func `the resource of an unknown user is not found`() throws {
        let answer = try content(of: .demo, for: 3)
        #expect(answer.status == 404)
        #expect(answer.content == #"{"error":"User not found"}"#)
    }
}
