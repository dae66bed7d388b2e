extension [UInt8] {
    /// The bytes of a test vector in hexadecimal, two digits a byte. Text that is not hexadecimal
    /// is a mistake in the test and traps.
    package init(hexadecimal text: String) {
        let digits = text.utf8.map { UInt8(Character(UnicodeScalar($0)).hexDigitValue!) }
        precondition(digits.count.isMultiple(of: 2))
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
