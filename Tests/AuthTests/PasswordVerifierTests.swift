import Crypto
import JWT
import POSIX
import Testing

@testable import Auth

@Suite("A check of a password")
struct PasswordAuthenticatorTests {
    private static func hash(_ text: String, _ iterations: Int) -> PasswordHash {
        PasswordHash(of: Password(text)!, iterations: iterations)
    }

    private static let users = UserDirectory([
        .test(1, password: hash("correct horse", 3000)),
        .test(2, password: hash("correct horse", 1000)),
        .test(3, password: hash("correct horse", 3000), isDisabled: true),
        .test(4, password: hash("correct horse", 1000), isDisabled: true),
        .test(5),
    ])

    private static let wrong = [
        "", "Correct horse", "correct horse ", "x\n", String(repeating: "a", count: 1025),
        String(repeating: "a", count: 60_000),
    ]

    @Test(
        arguments: [
            (1, .accepted(needsUpgrade: false)), (2, .accepted(needsUpgrade: true)),
            (3, .refused), (4, .refused), (5, .refused), (6, .refused),
        ] as [(Int64, PasswordVerifier.Outcome)])
    func `only the right password of an enabled user is accepted`(
        id: Int64, outcome: PasswordVerifier.Outcome
    ) {
        let verifier = PasswordVerifier(Self.users, iterations: 3000)
        let user = Self.users[UserID(id)!]
        #expect(verifier.check("correct horse", of: user) == outcome)
        #expect(verifier.check("correct\u{A0}horse", of: user) == outcome)
        for wrong in Self.wrong { #expect(verifier.check(wrong, of: user) == .refused) }
    }

    @Test(
        arguments: [1000, 2000, 3000, 4000])
    func `every check performs the same number of iterations`(configured: Int) {
        let done = Monitor(0)
        let verifier = PasswordVerifier(Self.users, iterations: configured) {
            _, _, iterations in
            done.withLock { $0 += iterations }
            return SHA256.digest(of: Array("no key".utf8).span)
        }
        for id in 1...6 as ClosedRange<Int64> {
            for text in ["correct horse"] + Self.wrong {
                done.withLock { $0 = 0 }
                _ = verifier.check(text, of: Self.users[UserID(id)!])
                // The configured number, or that of the most expensive hash.
                #expect(done.withLock { $0 } == max(configured, 3000), "user \(id)")
            }
        }
    }

    @Test func `an upgrade is due only if the hash has fewer iterations than configured`() {
        let user = Self.users[UserID(2)!]
        for (configured, needsUpgrade) in [(1000, false), (1001, true), (999 + 1, false)] {
            let verifier = PasswordVerifier(Self.users, iterations: configured)
            #expect(
                verifier.check("correct horse", of: user)
                    == .accepted(needsUpgrade: needsUpgrade))
        }
    }

    @Test func `a new hash has the configured iterations and matches its password`() throws {
        let verifier = PasswordVerifier(Self.users, iterations: 3000)
        let hash = try #require(verifier.newHash(of: "correct\u{A0}horse"))
        #expect(hash.iterations == 3000)
        #expect(hash.matches(Password("correct horse")!))
        #expect(verifier.newHash(of: "x\n") == nil)
    }
}
