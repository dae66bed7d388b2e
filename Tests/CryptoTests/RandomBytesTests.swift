import Crypto
import Testing

private func identifier() -> [UInt8] {
    let bytes = RandomBytes.sixteen()
    return bytes.indices.map { bytes[$0] }
}

struct RandomBytesTests {
    @Test(arguments: [0, 1, 31, 32, 33, 1000])
    func `an array has the requested number of bytes`(count: Int) {
        #expect(RandomBytes.array(count: count).count == count)
    }

    // The probability that a bit stays the same in a thousand draws is 2^-999.
    @Test func `a thousand identifiers are different, and each of their 128 bits varies`() {
        let drawn = (0..<1000).map { _ in identifier() }
        #expect(Set(drawn).count == 1000)
        for index in 0..<16 {
            #expect(drawn.reduce(0) { $0 | $1[index] } == 0xff)
            #expect(drawn.reduce(0xff) { $0 & $1[index] } == 0)
        }
    }

    @Test func `two arrays are different`() {
        #expect(RandomBytes.array(count: 32) != RandomBytes.array(count: 32))
    }
}
