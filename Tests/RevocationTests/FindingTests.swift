import Revocation
import Testing
import Time

@Suite("A finding")
struct FindingTests {
    @Test("says when it happened")
    func moment() {
        let now = Timestamp(seconds: 1_700_000_000)
        #expect(Finding.spent(at: now) != Finding.revoked(at: now))
    }
}
