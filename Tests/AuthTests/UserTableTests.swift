import JWT
import Testing

@testable import Auth

@Suite("A table of users")
struct UserTableTests {
    /// Ids that follow each other, far ones, and those that fall on few places.
    @Test("has what was put into it and nothing else", arguments: [0, 1, 2, 3, 100, 5000])
    func lookUp(count: Int64) throws {
        let strides: [Int64] = [1, 2, 1 << 20, UserID.maximum / 5001]
        for stride in strides {
            let ids = try (0..<count).map { try #require(UserID(1 + $0 * stride)) }
            let table = UserIDMap(ids.map { ($0, $0.rawValue) })
            for id in ids { #expect(table[id] == id.rawValue) }
            for number in [count * stride + 1, UserID.maximum] {
                #expect(table[try #require(UserID(number))] == nil)
            }
            if stride > 1, count > 0 { #expect(table[try #require(UserID(2))] == nil) }
        }
    }
}
