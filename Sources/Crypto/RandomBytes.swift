/// Unpredictable bytes from the kernel's generator, through the standard library's
/// `SystemRandomNumberGenerator` (getrandom(2) on Linux, which cannot fail after the system has
/// started).
package enum RandomBytes {
    /// 128 bits, for token and session identifiers.
    package static func sixteen() -> InlineArray<16, UInt8> {
        var generator = SystemRandomNumberGenerator()
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        for half in 0..<2 {
            let word = generator.next()
            for index in 0..<8 {
                bytes[half * 8 + index] = UInt8(truncatingIfNeeded: word >> (8 * index))
            }
        }
        return bytes
    }

    /// `count` bytes, for keys.
    package static func array(count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}
