import TestSupport
import Testing

@testable import Revocation

struct SipHash13Tests {
    let hash = SipHash13(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)

    private func text(_ count: Int, _ wordRounds: Int, _ lastRounds: Int) -> [UInt8] {
        let message = (0..<count).map { UInt8($0) }
        let value = hash.hash(message.span, wordRounds: wordRounds, lastRounds: lastRounds)
        return (0..<16).map { index in
            UInt8(truncatingIfNeeded: (index < 8 ? value.low : value.high) >> (index % 8 * 8))
        }
    }

    // Key 00 01 … 0f, message 00 01 …: the vectors of the reference (github.com/veorq/SipHash,
    // vectors.h); `openssl mac -macopt size:16 SIPHASH` of OpenSSL 3.0 gives the same.
    @Test(
        arguments: [
            (0, "A3817F04BA25A8E66DF67214C7550293"), (1, "DA87C1D86B99AF44347659119B22FC45"),
            (3, "9C70B60C5267A94E5F33B6B02985ED51"), (7, "A1F1EBBED8DBC153C0B84AA61FF08239"),
            (8, "3B62A9BA6258F5610F83E264F31497B4"), (9, "264499060AD9BAABC47F8B02BB6D71ED"),
            (15, "5493E99933B0A8117E08EC0F97CFC3D9"), (22, "4A29B54552D16B9A469C10528EFF0AAE"),
            (64, "1EAF077DC0D4CD3F8CAD4D383658A74B"),
        ])
    func `the hash with 2 and 4 rounds is SipHash-2-4`(count: Int, expected: String) {
        #expect(text(count, 2, 4) == [UInt8](hexadecimal: expected))
    }

    // The same command with `-macopt c-rounds:1 -macopt d-rounds:3`.
    @Test(
        arguments: [
            (0, "E77EBCB22788A5BEFD62DB6ADD303001"), (1, "FC6F370460D3EDA85E0573CC2B2FF063"),
            (7, "1084B923F2AAE0C3A62F2EC80848AB77"), (8, "AA12FEE1D5E3DAB4724F16AB35F9C799"),
            (16, "D0A8D95715518EEBB513B0F83D9E1793"), (22, "C9A8D130231DD43E42E6456957F83779"),
            (64, "1253DEF24B4AA5364EC8A759BA6A66C2"),
        ])
    func `the hash with 1 and 3 rounds is SipHash-1-3`(count: Int, expected: String) {
        #expect(text(count, 1, 3) == [UInt8](hexadecimal: expected))
        let message = (0..<count).map { UInt8($0) }
        #expect(hash(message.span) == hash.hash(message.span, wordRounds: 1, lastRounds: 3))
    }

    @Test func `another key gives other names`() {
        let bytes = Array("a token".utf8)
        #expect(SipHash13(1, 2)(bytes.span) != SipHash13(2, 1)(bytes.span))
        #expect(UserIDScrambler(first: 1, second: 2)(7) != UserIDScrambler(first: 3, second: 2)(7))
    }

    @Test func `consecutive users have different names, spread over a table`() {
        let names = UserIDScrambler(first: 0x1234, second: 0x5678)
        let lows = Set((-5000..<5000).map { names(Int64($0)).low })
        #expect(lows.count == 10_000)
        // 10,000 random values leave 8.7 % of 4096 slots empty.
        #expect(Set(lows.map { $0 & 4095 }).count > 3600)
    }
}
