import POSIX
import Testing

struct BytesTests {
    @Test(arguments: [[], [1], [0, 255, 10]] as [[UInt8]])
    func `bytes are appended unchanged`(bytes: [UInt8]) {
        var all: [UInt8] = [7]
        all.append(copying: bytes.span)
        #expect(all == [7] + bytes)
    }
}
