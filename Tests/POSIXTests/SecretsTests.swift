import POSIX
import Testing

@Suite("Secrets")
struct SecretsTests {
    @Test func `an array is overwritten for all who hold it`() {
        let bytes: [UInt8] = Array("a password".utf8)
        let other = bytes
        wipe(bytes, 2..<5)
        #expect(other == Array("a \0\0\0sword".utf8))
        wipe(bytes)
        #expect(other == [UInt8](repeating: 0, count: 10))
        wipe([])
    }

    @Test func `secret bytes are overwritten with their last owner`() {
        let bytes: [UInt8] = Array("a password".utf8)
        do {
            let secret = SecretBytes(bytes)
            let copy = secret
            #expect(copy.count == 10)
            #expect("\(copy)" == "SecretBytes")
            #expect(bytes == Array("a password".utf8))
        }
        #expect(bytes == [UInt8](repeating: 0, count: 10))
    }
}
