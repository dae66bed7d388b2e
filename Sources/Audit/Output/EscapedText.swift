import Logging
import POSIX

/// Escapes text from the log for a terminal: nothing in it can be a terminal control sequence, or
/// look like other text.
enum EscapedText {
    /// A value in a table: ASCII only, so that columns align and different values look different.
    /// Uses the escapes of the log, `\xNN` and `\u{NNNN}`.
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

    /// Appends a log line. The log itself escapes dangerous characters, so this changes only
    /// damaged lines and lines that are not the log's: it escapes control characters, invisible
    /// characters and invalid UTF-8.
    static func append(line: Span<UInt8>, to output: inout [UInt8]) {
        if isPrintable(line) { return output.append(copying: line) }
        // JSON escapes in a JSON line, so that it remains valid JSON.
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

    /// The same for a message of the program that contains text from elsewhere, such as a file
    /// name.
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

    /// JSON in ASCII: the same text, with `\uNNNN` for all other characters. They occur only inside
    /// strings.
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
