import Crypto
import Testing

private func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    isEqualInConstantTime(a.span, b.span)
}

struct ConstantTimeTests {
    @Test(arguments: 0...65)
    func `equal byte strings are equal, including empty ones`(count: Int) {
        let bytes = (0..<count).map { UInt8($0) }
        #expect(isEqual(bytes, bytes))
    }

    @Test(arguments: 0..<32)
    func `one changed bit at any position makes byte strings different`(at index: Int) {
        let bytes = [UInt8](0..<32)
        for bit in 0..<8 {
            var other = bytes
            other[index] ^= 1 << bit
            #expect(!isEqual(bytes, other))
        }
    }

    @Test func `two differences do not cancel each other`() {
        #expect(!isEqual([0x01, 0x01], [0x00, 0x00]))
        #expect(!isEqual([0x80, 0x00, 0x80], [0x00, 0x00, 0x00]))
    }

    @Test func `byte strings of different lengths are different, even if one is a prefix`() {
        #expect(!isEqual([], [0]))
        #expect(!isEqual([0], []))
        #expect(!isEqual([1, 2, 3], [1, 2]))
        #expect(!isEqual([1, 2], [1, 2, 0]))
    }
}
