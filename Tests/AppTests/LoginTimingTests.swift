import Auth
import Foundation
import TestSupport
import Testing

/// Whether two samples have the same mean: Welch's t-test. Past 4.5 it is less likely than one in a
/// hundred thousand that they have; the same limit is usual for measuring side channels.
private struct Comparison {
    private var first: [Double] = []
    private var second: [Double] = []

    mutating func add(_ value: Double, toFirst isFirst: Bool) {
        if isFirst { first.append(value) } else { second.append(value) }
    }

    /// Without the slowest tenth of each, which says what else the machine was doing.
    var t: Double {
        func moments(_ values: [Double]) -> (mean: Double, error: Double) {
            let kept = values.sorted().prefix(values.count * 9 / 10)
            let count = Double(kept.count)
            let mean = kept.reduce(0, +) / count
            let variance = kept.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
            return (mean, variance / count)
        }
        let (a, b) = (moments(first), moments(second))
        return (a.mean - b.mean) / (a.error + b.error).squareRoot()
    }
}

@Suite("The time of a login that fails", .blocking, .serialized)
struct LoginTimingTests {
    private static let limit = 4.5
    private static let logins = 200

    /// Asks for the one and the other in random order, over one connection.
    private func compare(
        _ house: ServerProcess, _ first: String, _ second: String, seed: UInt64
    ) throws -> Double {
        var dice = SeededGenerator(seed: seed)
        var comparison = Comparison()
        let client = try house.client()
        func time(_ request: String) throws -> Double {
            let start = DispatchTime.now().uptimeNanoseconds
            try client.send(request)
            #expect(try client.response().verdict == "401 Invalid credentials")
            return Double(DispatchTime.now().uptimeNanoseconds - start)
        }
        for _ in 0..<5 { for request in [first, second] { _ = try time(request) } }
        for _ in 0..<Self.logins {
            for isFirst in Bool.random(using: &dice) ? [true, false] : [false, true] {
                comparison.add(try time(isFirst ? first : second), toFirst: isFirst)
            }
        }
        return comparison.t
    }

    // Only where somebody asks for it: it wants a machine that does little else. It can fail: without the
    // work that `PasswordAuthenticator` does for nobody, t is past 30 at each attempt.
    @Test(
        "does not tell whether there is such a user",
        .enabled(if: TestScale.isLong && !TestScale.isSanitized),
        arguments: [
            (String.login(named: "mallory", "a wrong one"), "a name that nobody has"),
            (.login(withID: 77, "a wrong one"), "an id that nobody has"),
            (
                .login(named: "disabled", PasswordServerFixture.password),
                "a disabled user, with the password"
            ),
            (.login(named: "old", "a wrong one"), "a hash of fewer iterations"),
            (.login(named: "alice", "short"), "what cannot be a password"),
        ])
    func unknown(request: String, what: String) throws {
        var plan = PasswordServerFixture.Options()
        plan.login += #","max_attempts":0"#
        let estate = try PasswordServerFixture(plan, users: ["alice", "disabled", "old"])
        let iterations = 4 * PasswordServerFixture.iterations
        try estate.changeUsers { users in
            for index in users.indices {
                users[index].isDisabled = users[index].username == "disabled"
                let count =
                    users[index].username == "old" ? PasswordServerFixture.iterations : iterations
                users[index].password = PasswordHash(
                    of: Password(PasswordServerFixture.password)!, iterations: count)
            }
        }
        let house = try estate.house(["LOGIN_ITERATIONS": "\(iterations)"])
        var found: [Double] = []
        for attempt in 1...3 {
            let t = try compare(
                house, request, .login(named: "alice", "a wrong one"), seed: UInt64(attempt))
            found.append(t)
            if abs(t) < Self.limit { break }
        }
        #expect(found.contains { abs($0) < Self.limit }, "\(what): \(found)")
    }
}
