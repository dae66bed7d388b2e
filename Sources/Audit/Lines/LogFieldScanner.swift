/// Iterates over the fields of a line in the text and logfmt formats: ` name=value name="value" …`.
///
/// Accepts more than the log writes: an unquoted value may contain any byte except white space,
/// control characters and `"`. Accepts nothing ambiguous: an escape that `LogLine` does not write,
/// a raw control character, or a character directly after a closing quotation mark makes the line
/// malformed.
struct LogFieldScanner: ~Escapable {
    struct Field {
        let name: Range<Int>
        /// Without the quotation marks.
        let value: Range<Int>
        let hasEscapes: Bool
    }

    private let line: Span<UInt8>
    private(set) var offset: Int
    private(set) var isMalformed = false

    /// - Parameter offset: the offset of the space before the first field, or of the end of the
    ///   line.
    @_lifetime(copy line)
    init(_ line: Span<UInt8>, from offset: Int) {
        self.line = line
        self.offset = offset
    }

    /// The next field; nil at the end of the line and if the line is malformed (see `isMalformed`).
    @_lifetime(self: copy self)
    mutating func next() -> Field? {
        guard offset < line.count else { return nil }
        guard line[offset] == UInt8(ascii: " ") else { return fail() }
        let start = offset + 1
        var index = start
        while index < line.count, line[index] != UInt8(ascii: "=") {
            guard Self.isPlain(line[index]) else { return fail() }
            index += 1
        }
        guard index < line.count, index > start else { return fail() }
        let name = start..<index
        index += 1
        if index < line.count, line[index] == UInt8(ascii: "\"") {
            return quoted(name, from: index + 1)
        }
        let valueStart = index
        while index < line.count, line[index] != UInt8(ascii: " ") {
            guard Self.isPlain(line[index]) else { return fail() }
            index += 1
        }
        offset = index
        return Field(name: name, value: valueStart..<index, hasEscapes: false)
    }

    @_lifetime(self: copy self)
    private mutating func quoted(_ name: Range<Int>, from start: Int) -> Field? {
        var index = start
        var hasEscapes = false
        while index < line.count {
            let byte = line[index]
            if byte == UInt8(ascii: "\"") {
                offset = index + 1
                guard offset == line.count || line[offset] == UInt8(ascii: " ") else {
                    return fail()
                }
                return Field(name: name, value: start..<index, hasEscapes: hasEscapes)
            }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                guard let length = Self.escape(in: line, at: index)?.length else { return fail() }
                index += length
            } else {
                guard byte >= 0x20, byte != 0x7F else { return fail() }
                index += 1
            }
        }
        return fail()
    }

    @_lifetime(self: copy self)
    private mutating func fail() -> Field? {
        offset = line.count
        isMalformed = true
        return nil
    }

    @inline(__always)
    static func isPlain(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte != UInt8(ascii: "\"") && byte != 0x7F
    }

    // MARK: Escapes

    /// What an escape stands for: a raw byte, or a character.
    private enum Meaning {
        case byte(UInt8)
        case character(Unicode.Scalar)
    }

    private static func escape(
        in bytes: Span<UInt8>, at start: Int
    ) -> (meaning: Meaning, length: Int)? {
        guard start + 1 < bytes.count else { return nil }
        switch bytes[start + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): return (.byte(bytes[start + 1]), 2)
        case UInt8(ascii: "x"):
            guard start + 3 < bytes.count, let high = nibble(bytes[start + 2]),
                let low = nibble(bytes[start + 3])
            else { return nil }
            return (.byte(UInt8(high << 4 | low)), 4)
        case UInt8(ascii: "u"):
            guard start + 2 < bytes.count, bytes[start + 2] == UInt8(ascii: "{") else {
                return nil
            }
            var value: UInt32 = 0
            var index = start + 3
            while index < min(bytes.count, start + 9), let digit = nibble(bytes[index]) {
                value = value << 4 | digit
                index += 1
            }
            guard index > start + 3, index < bytes.count, bytes[index] == UInt8(ascii: "}"),
                let character = Unicode.Scalar(value)
            else { return nil }
            return (.character(character), index + 1 - start)
        default: return nil
        }
    }

    private static func nibble(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - 0x30)
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - 0x57)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - 0x37)
        default: nil
        }
    }

    /// The value with its escapes resolved; never longer than `value`.
    static func resolved(_ value: Span<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(value.count)
        var index = 0
        while index < value.count {
            guard value[index] == UInt8(ascii: "\\"),
                let (meaning, length) = escape(in: value, at: index)
            else {
                bytes.append(value[index])
                index += 1
                continue
            }
            switch meaning {
            case .byte(let byte): bytes.append(byte)
            case .character(let character): bytes.append(contentsOf: UTF8.encode(character)!)
            }
            index += length
        }
        return bytes
    }
}
