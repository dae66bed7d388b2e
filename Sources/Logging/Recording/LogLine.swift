import Time

/// Formats one line of the log, without its time and line end.
///
/// Values are untrusted. Whatever they contain, the line remains one line, a terminal shows it as
/// it is, and a program can parse it:
///
/// - Control characters, DEL, C1, U+2028, U+2029 and bidirectional controls are escaped.
/// - In text and logfmt, bytes that are not valid UTF-8 are escaped, too. A value with a space,
///   `|`, `=`, `"` or `\`, or an empty one, is quoted.
/// - In JSON, bytes that are not valid UTF-8 become U+FFFD, as in `String(decoding:as:)`.
///
/// There is no field for a token, a password or a key.
///
/// Writes into a caller's buffer of at least 256 bytes, and never past its end. A value that is too
/// long is cut between two characters, before its closing quotation mark. A field that does not fit
/// is left out; later fields that fit are written. Either way the line is well-formed, and its last
/// field is `cut=true`.
@usableFromInline
package struct LogLine: ~Copyable, ~Escapable {
    /// Bytes of the longest value as written, with its quotation marks. Two of them leave 512 bytes
    /// of the longest line for the time, the names, and the short fields at the end.
    static let maximumValue = (Logger.maximumLine - 512) / 2
    /// Bytes of the longest line without its time and line end.
    static let maximumCount = Logger.maximumLine - TimestampPrefix.maximumLength - 1
    /// The most that `end` appends: `,"cut":true}`.
    private static let endLength = 12

    private var buffer: MutableSpan<UInt8>
    private let format: LogFormat
    private let isJSON: Bool
    /// The end of the buffer for all but `end`.
    private var limit: Int
    private(set) var count = 0
    /// A field was left out that may fit into a larger buffer.
    private(set) var isTooLong = false
    /// A value was cut that is too long for any buffer.
    private var isCut = false
    /// Part of the current field did not fit.
    private var isOverflown = false

    @_lifetime(copy buffer)
    init(_ buffer: consuming MutableSpan<UInt8>, _ format: LogFormat) {
        limit = buffer.count - Self.endLength
        self.buffer = buffer
        self.format = format
        isJSON = if case .json = format { true } else { false }
    }

    /// The complete line of an event, with its time and line end. Allocates; for rare lines.
    package static func formatted(
        _ event: some LogEvent, at moment: Timestamp, _ format: LogFormat
    ) -> [UInt8] {
        var memory = [UInt8](repeating: 0, count: maximumCount)
        var line = LogLine(memory.mutableSpan, format)
        line.write(event)
        let count = line.count
        var stamp = TimestampPrefix(format)
        stamp.set(moment)
        var whole: [UInt8] = []
        stamp.append(memory.span.extracting(0..<count), to: &whole)
        return whole
    }

    /// Writes the complete line.
    mutating func write(_ event: some LogEvent) {
        begin(event.level, event.area, event.name)
        event.write(to: &self)
        end()
    }

    mutating func begin(_ level: Level, _ area: Area, _ name: StaticString) {
        switch format {
        case .text:
            put(level.name)
            put(" | ")
            put(area.name)
            put(" | ")
            put(name)
        case .json:
            put("\"level\":\"")
            put(level.name)
            put("\",\"area\":\"")
            put(area.name)
            put("\",\"event\":\"")
            put(name)
            put("\"")
        case .logfmt:
            put("level=")
            put(level.name)
            put(" area=")
            put(area.name)
            put(" event=")
            put(name)
        }
    }

    mutating func end() {
        limit = buffer.count
        if isCut || isTooLong { put(isJSON ? ",\"cut\":true" : " cut=true") }
        if isJSON { put(UInt8(ascii: "}")) }
    }

    // MARK: Fields

    package mutating func field(_ name: StaticString, _ value: Int64) {
        let start = count
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
        finishField(start)
    }

    package mutating func field(_ name: StaticString, _ value: Bool) {
        let start = count
        begin(name)
        put(value ? "true" : "false")
        finishField(start)
    }

    /// A constant of this program.
    package mutating func field(_ name: StaticString, _ value: StaticString) {
        let start = count
        begin(name)
        if isJSON { put(UInt8(ascii: "\"")) }
        put(value)
        if isJSON { put(UInt8(ascii: "\"")) }
        finishField(start)
    }

    package mutating func field(_ name: StaticString, _ value: String) {
        var value = value
        // Sound: the span does not leave the closure.
        value.withUTF8 { utf8 in field(name, unsafe utf8.span) }
    }

    /// Untrusted text.
    package mutating func field(_ name: StaticString, _ value: Span<UInt8>) {
        let start = count
        begin(name)
        if value.count > Self.maximumValue - 2 {
            putQuoted(value)
        } else if isJSON {
            if Self.isPlainInQuotes(value) {
                put(UInt8(ascii: "\""))
                put(value)
                put(UInt8(ascii: "\""))
            } else {
                putQuoted(value)
            }
        } else if value.count > 0, Self.isPlain(value) {
            put(value)
        } else {
            putQuoted(value)
        }
        finishField(start)
    }

    private mutating func begin(_ name: StaticString) {
        if isJSON {
            put(",\"")
            put(name)
            put("\":")
        } else {
            put(UInt8(ascii: " "))
            put(name)
            put(UInt8(ascii: "="))
        }
    }

    /// Removes the field that began at `start` if it did not fit completely.
    private mutating func finishField(_ start: Int) {
        guard isOverflown else { return }
        count = start
        isOverflown = false
        isTooLong = true
    }

    // MARK: Values

    /// Whether the value is printable ASCII that needs no quotation marks.
    private static func isPlain(_ value: Span<UInt8>) -> Bool {
        // Sound: the pointer does not leave the closure.
        unsafe value.withUnsafeBytes { bytes in
            unsafe bytes.allWords { word in
                word.isPrintable(from: 0x21) && !word.contains(UInt8(ascii: "\""))
                    && !word.contains(UInt8(ascii: "=")) && !word.contains(UInt8(ascii: "\\"))
                    && !word.contains(UInt8(ascii: "|"))
            }
        }
    }

    /// Whether the value is printable ASCII that needs no escape between quotation marks.
    private static func isPlainInQuotes(_ value: Span<UInt8>) -> Bool {
        // Sound: the pointer does not leave the closure.
        unsafe value.withUnsafeBytes { bytes in
            unsafe bytes.allWords { word in
                word.isPrintable(from: 0x20) && !word.contains(UInt8(ascii: "\""))
                    && !word.contains(UInt8(ascii: "\\"))
            }
        }
    }

    private mutating func putQuoted(_ value: Span<UInt8>) {
        // Reserve the byte of the closing quotation mark.
        let end = count + Self.maximumValue - 1
        put(UInt8(ascii: "\""))
        var index = 0
        while index < value.count, !isOverflown {
            let before = count
            index += putCharacter(value, at: index)
            if count > end {
                count = before
                isCut = true
                break
            }
        }
        put(UInt8(ascii: "\""))
    }

    /// Writes the character at `index`, escaped if necessary.
    /// - Returns: The number of bytes of the value that it has.
    @inline(__always)
    private mutating func putCharacter(_ value: Span<UInt8>, at index: Int) -> Int {
        let byte = value[index]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            put(UInt8(ascii: "\\"))
            put(byte)
        case 0x20..<0x7F:
            put(byte)
        case ..<0x80:
            if isJSON { putUTF16(UInt32(byte)) } else { putEscape(byte) }
        default:
            let (scalar, length) = UTF8Scalar.decode(value, at: index)
            if let scalar {
                if !UTF8Scalar.isInvisible(scalar) {
                    put(value.extracting(index..<(index + length)))
                } else if isJSON {
                    putUTF16(scalar)
                } else {
                    putEscape(scalar)
                }
                return length
            }
            if isJSON {
                put("\u{FFFD}")
                return length
            }
            // The next call handles the remaining bytes of an invalid sequence, one by one.
            putEscape(byte)
        }
        return 1
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

    /// `\uNNNN`, a surrogate pair above U+FFFF (RFC 8259 §7).
    private mutating func putUTF16(_ scalar: UInt32) {
        guard let scalar = Unicode.Scalar(scalar) else { return }
        for unit in scalar.utf16 {
            put("\\u")
            putHexadecimal(UInt32(unit), digits: 4)
        }
    }

    private mutating func putHexadecimal(_ value: UInt32, digits: UInt32) {
        for digit in (0..<digits).reversed() {
            let nibble = UInt8(value >> (4 * digit) & 15)
            put(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
        }
    }

    // MARK: Bytes

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        guard count < limit else {
            isOverflown = true
            return
        }
        buffer[count] = byte
        count += 1
    }

    private mutating func put(_ text: StaticString) {
        // Sound: a literal's bytes live as long as the program, and its count is correct.
        let bytes = unsafe UnsafeBufferPointer(
            start: text.utf8Start, count: text.utf8CodeUnitCount)
        unsafe put(bytes)
    }

    private mutating func put(_ bytes: Span<UInt8>) {
        // Sound: the bytes are copied before the closure returns.
        unsafe bytes.withUnsafeBufferPointer { unsafe put($0) }
    }

    private mutating func put(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count <= limit - count else {
            isOverflown = true
            return
        }
        guard let source = bytes.baseAddress else { return }
        let start = count
        // Sound: the source has this many bytes, and the check above has found space for them.
        unsafe buffer.withUnsafeMutableBytes { target in
            unsafe (target.baseAddress! + start).copyShort(from: source, bytes.count)
        }
        count += bytes.count
    }
}

extension UnsafeMutableRawPointer {
    /// Copies bytes; avoids the call to memcpy for up to 32 of them, the usual case.
    @inline(__always)
    fileprivate func copyShort(from source: UnsafeRawPointer, _ count: Int) {
        // Sound: loads and stores lie within the `count` bytes; two of them may overlap.
        if count >= 8, count <= 32 {
            var offset = 0
            while offset + 8 <= count {
                let word = unsafe source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                unsafe storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
                offset += 8
            }
            let last = unsafe source.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            unsafe storeBytes(of: last, toByteOffset: count - 8, as: UInt64.self)
        } else if count >= 4, count < 8 {
            let first = unsafe source.loadUnaligned(as: UInt32.self)
            let last = unsafe source.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
            unsafe storeBytes(of: first, as: UInt32.self)
            unsafe storeBytes(of: last, toByteOffset: count - 4, as: UInt32.self)
        } else if count < 4 {
            for offset in 0..<count {
                let byte = unsafe source.load(fromByteOffset: offset, as: UInt8.self)
                unsafe storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
            }
        } else {
            unsafe copyMemory(from: source, byteCount: count)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether `pass` accepts all bytes, eight at a time. The last eight may overlap the ones
    /// before, and fewer than eight are padded with a letter.
    /// Sound: no load goes past the count.
    @inline(__always)
    fileprivate func allWords(_ pass: (UInt64) -> Bool) -> Bool {
        guard count >= 8 else {
            var word: UInt64 = 0x6161_6161_6161_6161
            for index in indices { word = word << 8 | UInt64(unsafe self[index]) }
            return pass(word)
        }
        var offset = 0
        while offset + 8 <= count {
            guard pass(unsafe loadUnaligned(fromByteOffset: offset, as: UInt64.self)) else {
                return false
            }
            offset += 8
        }
        return pass(unsafe loadUnaligned(fromByteOffset: count - 8, as: UInt64.self))
    }
}

/// Tests on eight bytes at once (Sean Eron Anderson, "Bit Twiddling Hacks": "Determine if a word
/// has a byte less than n" and "… equal to n").
extension UInt64 {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// Whether every byte is ASCII from `least` (at most 0x80) to `~`.
    @inline(__always)
    fileprivate func isPrintable(from least: UInt64) -> Bool {
        let isTooLow = (self &- Self.ones &* least) & ~self
        return (self | isTooLow) & Self.highBits == 0 && !contains(0x7F)
    }

    @inline(__always)
    fileprivate func contains(_ byte: UInt8) -> Bool {
        let difference = self ^ Self.ones &* UInt64(byte)
        return (difference &- Self.ones) & ~difference & Self.highBits != 0
    }
}
