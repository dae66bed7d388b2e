import JWT
import Testing

@testable import Auth

@Suite("A map of users")
struct UserTableTests {
    /// Consecutive ids, distant ids, and ids that collide.
    @Test(arguments: [0, 1, 2, 3, 100, 5000])
    func `a map contains the inserted ids and no others`(count: Int64) throws {
        let strides: [Int64] = [1, 2, 1 << 20, UserID.maximum / 5001]
        for stride in strides {
            let ids = try (0..<count).map { try #require(UserID(1 + $0 * stride)) }
            let map = UserIDMap(ids.map { ($0, $0.rawValue) })
            for id in ids { #expect(map[id] == id.rawValue) }
            for number in [count * stride + 1, UserID.maximum] {
                #expect(map[try #require(UserID(number))] == nil)
            }
            if stride > 1, count > 0 { #expect(map[try #require(UserID(2))] == nil) }
        }
    }
}
