import Crypto
import Testing

private func identifier() -> [UInt8] {
    let bytes = RandomBytes.sixteen()
    return bytes.indices.map { bytes[$0] }
}

@Suite("Random bytes")
struct RandomBytesTests {
    @Test("are as many as were asked for", arguments: [0, 1, 31, 32, 33, 1000])
    func count(count: Int) {
        #expect(RandomBytes.array(count: count).count == count)
    }

    // Chance: a bit that stands still through a thousand draws has a probability of 2^-999.
    @Test("do not repeat an identifier, and let none of its 128 bits stand still")
    func identifiers() {
        let drawn = (0..<1000).map { _ in identifier() }
        #expect(Set(drawn).count == 1000)
        for index in 0..<16 {
            #expect(drawn.reduce(0) { $0 | $1[index] } == 0xff)
            #expect(drawn.reduce(0xff) { $0 & $1[index] } == 0)
        }
    }

    @Test("are not the same twice")
    func arrays() {
        #expect(RandomBytes.array(count: 32) != RandomBytes.array(count: 32))
    }
}
