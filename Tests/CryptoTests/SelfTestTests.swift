import Crypto
import Testing

@Suite("Self-test")
struct SelfTestTests {
    @Test("passes")
    func passes() {
        #expect(throws: Never.self) { try SelfTest.run() }
    }

    @Test(
        "compares hexadecimal digits as they are written in the standards",
        arguments: [([], ""), ([0], "00"), ([0x0f, 0xf0, 0xab], "0ff0ab")] as [([UInt8], String)])
    func digits(bytes: [UInt8], text: String) {
        #expect(hexadecimal(bytes.span) == text)
    }
}
