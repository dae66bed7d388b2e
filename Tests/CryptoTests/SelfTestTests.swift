import Crypto
import Testing

struct SelfTestTests {
    @Test func `the self-test passes`() {
        #expect(throws: Never.self) { try SelfTest.run() }
    }

    @Test(
        arguments: [([], ""), ([0], "00"), ([0x0f, 0xf0, 0xab], "0ff0ab")] as [([UInt8], String)])
    func `hexadecimal digits are written as in the standards`(bytes: [UInt8], text: String) {
        #expect(hexadecimal(bytes.span) == text)
    }
}
