/// Writes compact JSON: no white space, members in call order.
///
/// The caller must keep names distinct and brackets balanced; neither is checked. Strings are
/// escaped where RFC 8259 §7 requires it.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Writes the name of the next member. It must contain no quotation mark, backslash or control
    /// character.
    package mutating func name(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        // Sound: a literal's bytes live as long as the program.
        unsafe bytes.append(
            contentsOf: UnsafeBufferPointer(
                start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes the name of the next member, escaped.
    package mutating func name(escaping name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func integer(_ value: Int64) {
        separate()
        Decimal.append(value, to: &bytes)
    }

    /// A duration in seconds, with a fraction only if needed: 1500 is written as 1.5.
    package mutating func seconds(milliseconds: Int64) {
        let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        guard rest != 0 else { return integer(seconds) }
        separate()
        if milliseconds < 0 { bytes.append(UInt8(ascii: "-")) }
        Decimal.append(Int64(seconds.magnitude), to: &bytes)
        bytes.append(UInt8(ascii: "."))
        var divisor: UInt64 = 100
        var fraction = rest.magnitude
        while fraction > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: fraction / divisor))
            fraction %= divisor
            divisor /= 10
        }
    }

    /// A number as a string, as in the claim `sub`.
    package mutating func string(decimal value: Int64) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        Decimal.append(value, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func boolean(_ value: Bool) {
        separate()
        bytes.append(contentsOf: value ? Self.trueWord : Self.falseWord)
    }

    package mutating func null() {
        separate()
        bytes.append(contentsOf: Self.nullWord)
    }

    package mutating func string(_ value: String) {
        var value = value
        // Sound: the span does not leave the closure.
        value.withUTF8 { utf8 in string(unsafe utf8.span) }
    }

    /// - Parameter utf8: valid UTF-8.
    package mutating func string(_ utf8: Span<UInt8>) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        var start = 0
        for index in utf8.indices {
            let byte = utf8[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                continue
            }
            append(utf8.extracting(start..<index))
            start = index + 1
            if byte < 0x20 {
                bytes.append(contentsOf: Self.controlPrefix)
                bytes.append(Self.hexadecimal[Int(byte >> 4)])
                bytes.append(Self.hexadecimal[Int(byte & 15)])
            } else {
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            }
        }
        append(utf8.extracting(start..<utf8.count))
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(_ plain: Span<UInt8>) {
        // Sound: the buffer is the span's own.
        unsafe plain.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private static let trueWord = Array("true".utf8)
    private static let falseWord = Array("false".utf8)
    private static let nullWord = Array("null".utf8)
    private static let controlPrefix = Array("\\u00".utf8)
    private static let hexadecimal = Array("0123456789abcdef".utf8)
}

/// Writes decimal digits without a String.
enum Decimal {
    static func append(_ value: Int64, to bytes: inout [UInt8]) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var index = 20
        var rest = value.magnitude
        repeat {
            index -= 1
            digits[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        // Sound: the buffer is the digits' own.
        unsafe digits.span.extracting(index..<20).withUnsafeBufferPointer {
            unsafe bytes.append(contentsOf: $0)
        }
    }
}
