import Logging
import POSIX

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

    /// A line of the log as it stands. The log itself escapes what could do harm, so that this
    /// changes only lines that are broken or not the log's: controls, invisible characters and bytes
    /// that are no UTF-8 are escaped.
    static func append(line: Span<UInt8>, to output: inout [UInt8]) {
        if isPrintable(line) { return output.append(copying: line) }
        // In a line of JSON, so that it stays JSON.
        let isJSON = line[0] == UInt8(ascii: "{")
        let bytes = [UInt8](copying: line)
        if let string = String(validating: bytes, as: UTF8.self) {
            output += Array(visible(string, isJSON: isJSON).utf8)
            return
        }
        for byte in bytes {
            if 0x20..<0x7F ~= byte {
                output.append(byte)
            } else {
                output += Array((isJSON ? json(0xFFFD) : self.byte(UInt32(byte))).utf8)
            }
        }
    }

    /// The same for words of our own with something in them that may come from anywhere, as a file's
    /// name does.
    static func visible(_ text: String, isJSON: Bool = false) -> String {
        var visible = ""
        for scalar in text.unicodeScalars {
            let value = scalar.value
            if value >= 0x20, value != 0x7F, !UTF8Scalar.isInvisible(value) {
                visible.unicodeScalars.append(scalar)
            } else {
                visible += isJSON ? json(value) : value < 0x80 ? byte(value) : character(value)
            }
        }
        return visible
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

    private static func byte(_ value: UInt32) -> String { "\\x" + hexadecimal(value, 2) }
    private static func character(_ value: UInt32) -> String { "\\u{\(hexadecimal(value, 4))}" }
    private static func json(_ value: UInt32) -> String { "\\u" + hexadecimal(value, 4) }

    private static func hexadecimal(_ value: UInt32, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
