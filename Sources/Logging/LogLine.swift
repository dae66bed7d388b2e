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
