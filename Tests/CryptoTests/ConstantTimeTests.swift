import Crypto
import Testing

private func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    isEqualInConstantTime(a.span, b.span)
}

@Suite("Comparison in constant time")
struct ConstantTimeTests {
    @Test("finds equal bytes equal, none included", arguments: 0...65)
    func equal(count: Int) {
        let bytes = (0..<count).map { UInt8($0) }
        #expect(isEqual(bytes, bytes))
    }

    @Test("sees one changed bit anywhere", arguments: 0..<32)
    func changed(at index: Int) {
        let bytes = [UInt8](0..<32)
        for bit in 0..<8 {
            var other = bytes
            other[index] ^= 1 << bit
            #expect(!isEqual(bytes, other))
        }
    }

    @Test("does not let two differences cancel each other")
    func cancelling() {
        #expect(!isEqual([0x01, 0x01], [0x00, 0x00]))
        #expect(!isEqual([0x80, 0x00, 0x80], [0x00, 0x00, 0x00]))
    }

    @Test("finds bytes of different lengths different, even where one begins the other")
    func lengths() {
        #expect(!isEqual([], [0]))
        #expect(!isEqual([0], []))
        #expect(!isEqual([1, 2, 3], [1, 2]))
        #expect(!isEqual([1, 2], [1, 2, 0]))
    }
}
