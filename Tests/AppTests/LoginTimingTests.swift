import Auth
import Foundation
import TestSupport
import Testing

/// Compares the means of two samples with Welch's t-test. If the means are equal, |t| exceeds 4.5
/// with a probability below one in a hundred thousand; the limit is customary in side-channel
/// measurements.
private struct Comparison {
    private var first: [Double] = []
    private var second: [Double] = []

    mutating func add(_ value: Double, toFirst isFirst: Bool) {
        if isFirst { first.append(value) } else { second.append(value) }
    }

    /// The slowest tenth of each sample is dropped: it measures other activity on the machine.
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

@Suite(.blocking, .serialized)
struct LoginTimingTests {
    private static let limit = 4.5
    private static let logins = 200

    /// Sends both requests in random order over one connection and returns t.
    private func compare(
        _ server: ServerProcess, _ first: String, _ second: String, seed: UInt64
    ) throws -> Double {
        var generator = SeededGenerator(seed: seed)
        var comparison = Comparison()
        let client = try server.client()
        func time(_ request: String) throws -> Double {
            let start = DispatchTime.now().uptimeNanoseconds
            try client.send(request)
            #expect(try client.response().verdict == "401 Invalid credentials")
            return Double(DispatchTime.now().uptimeNanoseconds - start)
        }
        for _ in 0..<5 { for request in [first, second] { _ = try time(request) } }
        for _ in 0..<Self.logins {
            for isFirst in Bool.random(using: &generator) ? [true, false] : [false, true] {
                comparison.add(try time(isFirst ? first : second), toFirst: isFirst)
            }
        }
        return comparison.t
    }

    // Runs only on request, because it needs an otherwise idle machine. The test is effective:
    // without the dummy work of `PasswordVerifier`, t exceeds 30 at each attempt.
    @Test(
        .tags(.timing), .enabled(if: TestScale.isLong && !TestScale.isSanitized),
        arguments: [
            (String.login(named: "mallory", "a wrong one"), "an unknown name"),
            (.login(withID: 77, "a wrong one"), "an unknown id"),
            (
                .login(named: "disabled", PasswordServerFixture.password),
                "a disabled user, with the password"
            ),
            (.login(named: "old", "a wrong one"), "a hash of fewer iterations"),
            (.login(named: "alice", "short"), "what cannot be a password"),
        ])
    func `the time of a failed login does not reveal whether the user exists`(
        request: String, what: String
    ) throws {
        var options = PasswordServerFixture.Options()
        options.login += #","max_attempts":0"#
        let fixture = try PasswordServerFixture(options, users: ["alice", "disabled", "old"])
        let iterations = 4 * PasswordServerFixture.iterations
        try fixture.changeUsers { users in
            for index in users.indices {
                users[index].isDisabled = users[index].username == "disabled"
                let count =
                    users[index].username == "old" ? PasswordServerFixture.iterations : iterations
                users[index].password = PasswordHash(
                    of: Password(PasswordServerFixture.password)!, iterations: count)
            }
        }
        let server = try fixture.startServer(["LOGIN_ITERATIONS": "\(iterations)"])
        var found: [Double] = []
        for attempt in 1...3 {
            let t = try compare(
                server, request, .login(named: "alice", "a wrong one"), seed: UInt64(attempt))
            found.append(t)
            if abs(t) < Self.limit { break }
        }
        #expect(found.contains { abs($0) < Self.limit }, "\(what): \(found)")
    }
}
