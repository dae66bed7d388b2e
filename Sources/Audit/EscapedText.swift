/// Text from the log on its way to a terminal: nothing in it is a command to the terminal, and
/// nothing in it reads as something else.
enum EscapedText {
    /// A value in a table: ASCII alone, so that columns stand in line, and two values that look alike
    /// are alike. Spelt as in the log, with `\xNN` and `\u{NNNN}`.
    static func value(_ bytes: [UInt8]) -> String {
        var text = ""
        guard let string = String(validating: bytes, as: UTF8.self) else {
            for byte in bytes { append(Unicode.Scalar(byte), isByte: byte >= 0x80, to: &text) }
            return text
        }
        for scalar in string.unicodeScalars { append(scalar, isByte: false, to: &text) }
        return text
    }

    private static func append(_ scalar: Unicode.Scalar, isByte: Bool, to text: inout String) {
        switch scalar.value {
        case 0x5C: text += "\\\\"
        case 0x20..<0x7F: text.unicodeScalars.append(scalar)
        case ..<0x80: text += byte(scalar.value)
        default: text += isByte ? byte(scalar.value) : character(scalar.value)
        }
    }

    /// Appends a line of the log as it stands. The log itself escapes what could do harm, so that
    /// this changes only lines that are broken or not the log's: controls, invisible characters and
    /// bytes that are no UTF-8 are escaped.
    static func append(line: Span<UInt8>, to output: inout [UInt8]) {
        if isPrintable(line) {
            for index in line.indices { output.append(line[index]) }
            return
        }
        // In a line of JSON, so that it stays JSON.
        let isJSON = line[0] == UInt8(ascii: "{")
        guard let string = String(validating: line.array, as: UTF8.self) else {
            for index in line.indices {
                let byte = line[index]
                if 0x20..<0x7F ~= byte {
                    output.append(byte)
                } else {
                    output += Array((isJSON ? json(0xFFFD) : self.byte(UInt32(byte))).utf8)
                }
            }
            return
        }
        for scalar in string.unicodeScalars {
            let value = scalar.value
            if value >= 0x20, value != 0x7F, !isInvisible(value) {
                output.append(contentsOf: UTF8.encode(scalar)!)
            } else {
                let escape =
                    isJSON ? json(value) : value < 0x80 ? byte(value) : character(value)
                output += Array(escape.utf8)
            }
        }
    }

    /// JSON in ASCII: the same text, with `\uNNNN` for all else. Outside of strings JSON has nothing
    /// else.
    static func ascii(json bytes: [UInt8]) -> [UInt8] {
        guard !isPrintable(bytes.span) else { return bytes }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + 64)
        for unit in String(decoding: bytes, as: UTF8.self).utf16 {
            if 0x20..<0x7F ~= unit {
                output.append(UInt8(unit))
            } else {
                output += Array(json(UInt32(unit)).utf8)
            }
        }
        return output
    }

    private static func isPrintable(_ bytes: Span<UInt8>) -> Bool {
        var faults: UInt8 = 0
        for index in bytes.indices { faults |= bytes[index] &- 0x20 > 0x7E - 0x20 ? 1 : 0 }
        return faults == 0
    }

    /// What Logging escapes beside controls: C1, separators, bidirectional marks, byte order mark.
    private static func isInvisible(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x80...0x9F, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }

    private static func byte(_ value: UInt32) -> String { "\\x" + hexadecimal(value, 2) }
    private static func character(_ value: UInt32) -> String { "\\u{\(hexadecimal(value, 4))}" }
    private static func json(_ value: UInt32) -> String { "\\u" + hexadecimal(value, 4) }

    private static func hexadecimal(_ value: UInt32, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
