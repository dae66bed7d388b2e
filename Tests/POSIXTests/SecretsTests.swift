import POSIX
import Testing

struct SecretsTests {
    @Test func `wiping an array overwrites it for all references`() {
        let bytes: [UInt8] = Array("a password".utf8)
        let other = bytes
        wipe(bytes, 2..<5)
        #expect(other == Array("a \0\0\0sword".utf8))
        wipe(bytes)
        #expect(other == [UInt8](repeating: 0, count: 10))
        wipe([])
    }

    @Test func `secret bytes are overwritten when the last copy is released`() {
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
