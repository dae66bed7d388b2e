/// One line of the log while it is made: `LEVEL | area | event name=value …`, without its time and
/// its end.
///
/// Values come from strangers. Whatever they hold, the line stays one line, and shows on a terminal
/// what it says: control characters, DEL, C1, U+2028 and U+2029, bidirectional controls and bytes
/// that are no UTF-8 are written as escapes; a value with a space, `|`, `=`, `"` or `\`, or with
/// nothing in it, stands in quotation marks. There is no field for a token, a password or a key.
///
/// Writes into memory that it is lent and never past its end: `isTruncated` tells that there was more.
package struct LogLine: ~Copyable, ~Escapable {
    private var buffer: MutableSpan<UInt8>
    package private(set) var count = 0
    package private(set) var isTruncated = false

    @_lifetime(copy buffer)
    init(_ buffer: consuming MutableSpan<UInt8>) {
        self.buffer = buffer
    }

    mutating func begin(_ level: Level, _ area: Area, _ name: StaticString) {
        put(level.name)
        put(" | ")
        put(area.name)
        put(" | ")
        put(name)
    }

    package mutating func field(_ name: StaticString, _ value: Int64) {
        begin(name)
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var index = 20
        var rest = value.magnitude
        repeat {
            index -= 1
            digits[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if value < 0 { put(UInt8(ascii: "-")) }
        put(digits.span.extracting(index..<20))
    }

    /// A word of this program's own.
    package mutating func field(_ name: StaticString, _ value: StaticString) {
        begin(name)
        put(value)
    }

    package mutating func field(_ name: StaticString, _ value: String) {
        var value = value
        value.withUTF8 { utf8 in field(name, unsafe utf8.span) }
    }

    /// Text from anywhere.
    package mutating func field(_ name: StaticString, _ value: Span<UInt8>) {
        begin(name)
        if value.count > 0, Self.isPlain(value) {
            put(value)
        } else {
            putQuoted(value)
        }
    }

    private mutating func begin(_ name: StaticString) {
        put(UInt8(ascii: " "))
        put(name)
        put(UInt8(ascii: "="))
    }

    /// Printable ASCII that needs no quotation marks. Gathers faults instead of stopping at one, so
    /// that the compiler looks at many bytes at once.
    private static func isPlain(_ value: Span<UInt8>) -> Bool {
        // Sound: the buffer is the span's own.
        unsafe value.withUnsafeBufferPointer { bytes in
            var faults: UInt8 = 0
            for index in bytes.indices {
                let byte = unsafe bytes[index]
                faults |= byte &- 0x21 > 0x7E - 0x21 ? 1 : 0
                faults |= byte == UInt8(ascii: "\"") ? 1 : 0
                faults |= byte == UInt8(ascii: "=") ? 1 : 0
                faults |= byte == UInt8(ascii: "\\") ? 1 : 0
                faults |= byte == UInt8(ascii: "|") ? 1 : 0
            }
            return faults == 0
        }
    }

    private mutating func putQuoted(_ value: Span<UInt8>) {
        put(UInt8(ascii: "\""))
        var index = 0
        while index < value.count {
            let byte = value[index]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                put(UInt8(ascii: "\\"))
                put(byte)
                index += 1
            case 0x20..<0x7F:
                put(byte)
                index += 1
            case ..<0x80:
                putEscape(byte)
                index += 1
            default:
                guard let (scalar, length) = UTF8Scalar.decode(value, at: index) else {
                    putEscape(byte)
                    index += 1
                    continue
                }
                if UTF8Scalar.isInvisible(scalar) {
                    putEscape(scalar)
                } else {
                    put(value.extracting(index..<(index + length)))
                }
                index += length
            }
        }
        put(UInt8(ascii: "\""))
    }

    /// `\xNN`
    private mutating func putEscape(_ byte: UInt8) {
        put("\\x")
        putHexadecimal(UInt32(byte), digits: 2)
    }

    /// `\u{NNNN}`
    private mutating func putEscape(_ scalar: UInt32) {
        put("\\u{")
        putHexadecimal(scalar, digits: scalar > 0xFFFF ? 6 : 4)
        put("}")
    }

    private mutating func putHexadecimal(_ value: UInt32, digits: UInt32) {
        for digit in (0..<digits).reversed() {
            let nibble = UInt8(value >> (4 * digit) & 15)
            put(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
        }
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        guard count < buffer.count else {
            isTruncated = true
            return
        }
        buffer[count] = byte
        count += 1
    }

    private mutating func put(_ text: StaticString) {
        // Sound: a literal's bytes live as long as the program, and are as many as it says.
        let bytes = unsafe UnsafeBufferPointer(
            start: text.utf8Start, count: text.utf8CodeUnitCount)
        unsafe put(bytes)
    }

    private mutating func put(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe put($0) }
    }

    private mutating func put(_ bytes: UnsafeBufferPointer<UInt8>) {
        let length = min(bytes.count, buffer.count - count)
        if length < bytes.count { isTruncated = true }
        guard length > 0, let source = bytes.baseAddress else { return }
        let start = count
        // Sound: `length` bytes are there, and there is room for them.
        unsafe buffer.withUnsafeMutableBufferPointer { target in
            unsafe (target.baseAddress! + start).update(from: source, count: length)
        }
        count += length
    }
}

/// UTF-8, one character at a time.
enum UTF8Scalar {
    /// The character that begins at `start` (not an ASCII one) and its length in bytes; nil if none
    /// does (table 3-7 of the Unicode Standard).
    static func decode(_ bytes: Span<UInt8>, at start: Int) -> (scalar: UInt32, length: Int)? {
        let lead = bytes[start]
        let (length, low, high): (Int, UInt8, UInt8) =
            switch lead {
            case 0xC2...0xDF: (2, 0x80, 0xBF)
            case 0xE0: (3, 0xA0, 0xBF)
            case 0xED: (3, 0x80, 0x9F)
            case 0xE1...0xEF: (3, 0x80, 0xBF)
            case 0xF0: (4, 0x90, 0xBF)
            case 0xF1...0xF3: (4, 0x80, 0xBF)
            case 0xF4: (4, 0x80, 0x8F)
            default: (0, 0, 0)
            }
        guard length > 0, start + length <= bytes.count else { return nil }
        let second = bytes[start + 1]
        guard second >= low, second <= high else { return nil }
        var scalar = UInt32(lead) & (0x7F >> UInt32(length))
        for index in (start + 1)..<(start + length) {
            guard bytes[index] & 0xC0 == 0x80 else { return nil }
            scalar = scalar << 6 | UInt32(bytes[index] & 0x3F)
        }
        return (scalar, length)
    }

    /// What a reader of the log would not see, or would see as something else: C1 controls, line
    /// and paragraph separators, bidirectional marks and embeddings, the byte order mark.
    static func isInvisible(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x80...0x9F, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}
