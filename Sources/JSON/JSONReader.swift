import Glibc

/// Reads one JSON text (RFC 8259) from the front to the back, value by value, and accepts nothing
/// that two readers could take differently: duplicate names, lone surrogates, bad UTF-8, numbers that
/// do not fit and trailing bytes are errors.
///
/// The caller says what it expects next (`beginObject`, `nextName`, `readInteger`, `skipValue`, …);
/// skipped values are checked as strictly as read ones. Borrows the bytes and copies none; allocates
/// only while more than `namesOnTheStack` names are open, and for a number that is no 64-bit
/// integer; never traps on input.
///
/// Duplicate names are found by a 64-bit filter per object: only when a name's bit is already set
/// are the earlier names compared, so that the common object costs one test per member.
package struct JSONReader: ~Copyable, ~Escapable {
    /// Nesting accepted where the caller names no other limit. Tokens and requests need three.
    package static let defaultDepth = 16
    /// Names in all objects that are open at once; bounds the work that telling duplicates takes.
    package static let maximumNames = 1024
    /// The same for what strangers send, who need three.
    package static let maximumNamesFromStrangers = 64

    private static let namesOnTheStack = 8
    /// Texts are known by 32-bit offsets; every caller has a far smaller limit of its own.
    private static let maximumLength = 1 << 31

    /// An object or array that has begun and not ended.
    private struct Level {
        var filter: UInt64 = 0
        /// Where this object's names begin in the name stack.
        var firstName: Int32 = 0
        var isObject = false
        var hasMembers = false
    }

    private let bytes: Span<UInt8>
    private let maximumDepth: Int
    private let maximumNames: Int
    private(set) var offset = 0
    private var depth = 0
    /// The innermost object or array that is open.
    private var level = Level()
    /// Those around it, by depth.
    private var outerLevels = InlineArray<16, Level>(repeating: Level())
    private var nameCount = 0
    private var names = InlineArray<8, JSONText>(repeating: JSONText())
    private var furtherNames: [JSONText] = []

    /// - Parameters:
    ///   - maximumDepth: objects and arrays inside each other, at most `defaultDepth`.
    ///   - maximumNames: in all objects that are open at once.
    @_lifetime(copy bytes)
    package init(
        _ bytes: Span<UInt8>, maximumDepth: Int = JSONReader.defaultDepth,
        maximumNames: Int = JSONReader.maximumNames
    ) {
        precondition(maximumDepth <= JSONReader.defaultDepth && bytes.count <= Self.maximumLength)
        self.bytes = bytes
        self.maximumDepth = maximumDepth
        self.maximumNames = maximumNames
    }
}

// MARK: - Structure

extension JSONReader {
    package enum Kind: Sendable { case object, array, string, number, boolean, null }

    /// What the next value is, by its first byte.
    package mutating func peekKind() throws(JSONError) -> Kind {
        switch try peek() {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw JSONError(.unexpectedByte, at: offset)
        }
    }

    package mutating func beginObject() throws(JSONError) {
        try begin(UInt8(ascii: "{"), isObject: true)
    }

    package mutating func beginArray() throws(JSONError) {
        try begin(UInt8(ascii: "["), isObject: false)
    }

    /// The next member's name, with the reader in front of its value; nil when the object has ended.
    package mutating func nextName() throws(JSONError) -> JSONText? {
        precondition(depth > 0 && level.isObject, "nextName belongs inside an object")
        var byte = try peek()
        if byte == UInt8(ascii: "}") {
            offset += 1
            nameCount = Int(level.firstName)
            if nameCount <= Self.namesOnTheStack {
                if !furtherNames.isEmpty { furtherNames.removeAll(keepingCapacity: true) }
            } else {
                furtherNames.removeLast(
                    furtherNames.count - (nameCount - Self.namesOnTheStack))
            }
            leave()
            return nil
        }
        if level.hasMembers {
            guard byte == UInt8(ascii: ",") else { throw JSONError(.unexpectedByte, at: offset) }
            offset += 1
            byte = try peek()
        }
        guard byte == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte, at: offset) }
        level.hasMembers = true
        let name = try scanText(isName: true)
        guard try peek() == UInt8(ascii: ":") else {
            throw JSONError(.unexpectedByte, at: offset)
        }
        offset += 1
        try remember(name)
        return name
    }

    /// Steps over a name and its colon, if they stand here byte for byte; the comma in front of them
    /// too. Does not remember the name: see `JSONNames`.
    mutating func skipMember(_ written: Span<UInt8>) -> Bool {
        var start = offset
        if level.hasMembers {
            guard start < bytes.count, bytes[start] == UInt8(ascii: ",") else { return false }
            start += 1
        }
        guard start + written.count <= bytes.count else { return false }
        let candidate = bytes.extracting(start..<(start + written.count))
        // Sound: both have the same count, which is not zero.
        let isEqual = unsafe candidate.withUnsafeBytes { candidate in
            unsafe written.withUnsafeBytes { written in
                unsafe memcmp(candidate.baseAddress!, written.baseAddress!, written.count) == 0
            }
        }
        guard isEqual else { return false }
        level.hasMembers = true
        offset = start + written.count
        return true
    }

    /// Whether the array has another value, with the reader in front of it; false ends the array.
    package mutating func nextElement() throws(JSONError) -> Bool {
        precondition(depth > 0 && !level.isObject, "nextElement belongs inside an array")
        let byte = try peek()
        if byte == UInt8(ascii: "]") {
            offset += 1
            leave()
            return false
        }
        if level.hasMembers {
            guard byte == UInt8(ascii: ",") else { throw JSONError(.unexpectedByte, at: offset) }
            offset += 1
            guard try peek() != UInt8(ascii: "]") else {
                throw JSONError(.unexpectedByte, at: offset)
            }
        }
        level.hasMembers = true
        return true
    }

    /// Ends the reading: only white space may be left.
    package mutating func finish() throws(JSONError) {
        skipWhiteSpace()
        guard offset == bytes.count else { throw JSONError(.trailingBytes, at: offset) }
    }

    /// Steps over one value of any type, checking all of it.
    package mutating func skipValue() throws(JSONError) {
        let base = depth
        repeat {
            if depth > base {
                if level.isObject {
                    guard try nextName() != nil else { continue }
                } else {
                    guard try nextElement() else { continue }
                }
            }
            switch try peekKind() {
            case .object: try beginObject()
            case .array: try beginArray()
            case .string: _ = try scanText(isName: false)
            case .number: _ = try scanNumber()
            case .boolean: _ = try readBoolean()
            case .null: try readNull()
            }
        } while depth > base
    }

    private mutating func begin(_ opening: UInt8, isObject: Bool) throws(JSONError) {
        guard try peek() == opening else { throw JSONError(.wrongType, at: offset) }
        guard depth < maximumDepth else { throw JSONError(.tooDeep, at: offset) }
        offset += 1
        outerLevels[depth] = level
        depth += 1
        level = Level(
            filter: 0, firstName: Int32(nameCount), isObject: isObject, hasMembers: false)
    }

    private mutating func leave() {
        depth -= 1
        level = outerLevels[depth]
    }

    private mutating func remember(_ name: JSONText) throws(JSONError) {
        let bit: UInt64 = 1 &<< UInt64(JSONText.slot(name.key))
        if level.filter & bit != 0 {
            for index in Int(level.firstName)..<nameCount {
                let earlier =
                    index < Self.namesOnTheStack
                    ? names[index] : furtherNames[index - Self.namesOnTheStack]
                guard isSameName(earlier, name) else { continue }
                throw JSONError(.duplicateName, at: name.start)
            }
        }
        guard nameCount < maximumNames else { throw JSONError(.tooManyNames, at: name.start) }
        level.filter |= bit
        if nameCount < Self.namesOnTheStack {
            names[nameCount] = name
        } else {
            furtherNames.append(name)
        }
        nameCount += 1
    }
}

// MARK: - Values

extension JSONReader {
    package mutating func readText() throws(JSONError) -> JSONText {
        guard try peek() == UInt8(ascii: "\"") else { throw JSONError(.wrongType, at: offset) }
        return try scanText(isName: false)
    }

    package mutating func readBoolean() throws(JSONError) -> Bool {
        switch try peek() {
        case UInt8(ascii: "t"):
            try expect("true")
            return true
        case UInt8(ascii: "f"):
            try expect("false")
            return false
        default: throw JSONError(.wrongType, at: offset)
        }
    }

    package mutating func readNull() throws(JSONError) {
        guard try peek() == UInt8(ascii: "n") else { throw JSONError(.wrongType, at: offset) }
        try expect("null")
    }

    /// An integer written as one: `1.0` and `1e0` are `.notAnInteger`.
    package mutating func readInteger() throws(JSONError) -> Int64 {
        if let value = readShortInteger() { return value }
        let number = try readNumberToken()
        guard number.isInteger else { throw JSONError(.notAnInteger, at: number.start) }
        guard let value = number.integer else {
            throw JSONError(.numberOutOfRange, at: number.start)
        }
        return value
    }

    /// Any number: exact where it is written as an integer of 64 bits, else the nearest Double.
    package mutating func readNumber() throws(JSONError) -> JSONNumber {
        if let value = readShortInteger() { return .integer(value) }
        let number = try readNumberToken()
        if let value = number.integer { return .integer(value) }
        // Rare: a fraction, an exponent, or twenty digits. The text is ASCII by its grammar.
        let text = String(decoding: (number.start..<number.end).map { bytes[$0] }, as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            throw JSONError(.numberOutOfRange, at: number.start)
        }
        return .fraction(value)
    }

    /// The usual number: one to eighteen digits, no sign, no leading zero, and a `,` or `}` right
    /// behind them. Anything else is left unread, for the whole grammar to look at.
    private mutating func readShortInteger() -> Int64? {
        let start = offset
        // Sound: indices stay below the count.
        let (value, end) = unsafe bytes.withUnsafeBufferPointer { bytes in
            var index = start
            var value: Int64 = 0
            let limit = min(bytes.count, start + 18)
            while index < limit, unsafe bytes[index] &- 0x30 < 10 {
                value = unsafe value &* 10 &+ Int64(bytes[index] &- 0x30)
                index += 1
            }
            return (value, index)
        }
        guard end > start, end < bytes.count, bytes[start] != UInt8(ascii: "0"),
            bytes[end] == UInt8(ascii: ",") || bytes[end] == UInt8(ascii: "}")
        else { return nil }
        offset = end
        return value
    }

    private mutating func readNumberToken() throws(JSONError) -> NumberToken {
        switch try peek() {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try scanNumber()
        default: throw JSONError(.wrongType, at: offset)
        }
    }

    private mutating func expect(_ word: StaticString) throws(JSONError) {
        for index in 0..<word.utf8CodeUnitCount {
            guard offset < bytes.count else { throw JSONError(.unexpectedEnd, at: offset) }
            // Sound: the index is below the literal's own count.
            guard unsafe bytes[offset] == word.utf8Start[index] else {
                throw JSONError(.unexpectedByte, at: offset)
            }
            offset += 1
        }
    }
}

package enum JSONNumber: Equatable, Sendable {
    case integer(Int64)
    case fraction(Double)
}

// MARK: - Tokens

extension JSONReader {
    private struct NumberToken {
        let start: Int
        let end: Int
        /// Written without fraction and exponent.
        let isInteger: Bool
        /// Its value, if it is an integer that fits.
        let integer: Int64?
    }

    /// RFC 8259 §6: `[ "-" ] ( "0" / 1-9 *digit ) [ "." 1*digit ] [ ("e" / "E") [sign] 1*digit ]`.
    private mutating func scanNumber() throws(JSONError) -> NumberToken {
        let start = offset
        let isNegative = bytes[offset] == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        let firstDigit = offset
        let (value, overflows) = scanInteger()
        guard offset > firstDigit else { throw fault() }
        if bytes[firstDigit] == UInt8(ascii: "0"), offset > firstDigit + 1 {
            throw JSONError(.unexpectedByte, at: firstDigit + 1)
        }
        var isInteger = true
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            isInteger = false
            offset += 1
            try scanDigits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            offset += 1
            if offset < bytes.count,
                bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-")
            {
                offset += 1
            }
            try scanDigits()
        }
        var integer: Int64?
        if isInteger, !overflows {
            if isNegative {
                integer = value
            } else if value != .min {
                integer = -value
            }
        }
        return NumberToken(start: start, end: offset, isInteger: isInteger, integer: integer)
    }

    /// The digits at `offset` as a number, below zero, because the negative range is the larger one.
    private mutating func scanInteger() -> (negated: Int64, overflows: Bool) {
        var index = offset
        var value: Int64 = 0
        var overflows = false
        // Sound: indices stay below the count.
        unsafe bytes.withUnsafeBufferPointer { bytes in
            // Eighteen digits always fit; only more of them have to be watched.
            let safeEnd = min(bytes.count, index + 18)
            while index < safeEnd, unsafe bytes[index] &- 0x30 < 10 {
                value = unsafe value &* 10 &- Int64(bytes[index] &- 0x30)
                index += 1
            }
            while index < bytes.count, unsafe bytes[index] &- 0x30 < 10 {
                let (product, first) = value.multipliedReportingOverflow(by: 10)
                let (sum, second) = unsafe product.subtractingReportingOverflow(
                    Int64(bytes[index] &- 0x30))
                overflows = overflows || first || second
                value = overflows ? 0 : sum
                index += 1
            }
        }
        offset = index
        return (value, overflows)
    }

    private mutating func scanDigits() throws(JSONError) {
        let start = offset
        while offset < bytes.count, Self.digit(bytes[offset]) != nil { offset += 1 }
        guard offset > start else { throw fault() }
    }

    @inline(__always)
    private static func digit(_ byte: UInt8) -> Int64? {
        let value = byte &- UInt8(ascii: "0")
        return value < 10 ? Int64(value) : nil
    }

    /// The error for a byte that does not fit here, or for the end where one was needed.
    private mutating func fault() -> JSONError {
        JSONError(offset < bytes.count ? .unexpectedByte : .unexpectedEnd, at: offset)
    }

    /// Steps over a string, from its opening quotation mark to behind its closing one, and checks
    /// it: no control characters, UTF-8, escapes whole, surrogates in pairs.
    /// - Parameter isName: names get a key.
    private mutating func scanText(isName: Bool) throws(JSONError) -> JSONText {
        offset += 1
        let start = offset
        var hasEscapes = false
        while true {
            offset = Self.plainEnd(in: bytes, from: offset)
            guard offset < bytes.count else { throw JSONError(.unexpectedEnd, at: offset) }
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                let end = offset
                offset += 1
                return isName
                    ? name(start, end, hasEscapes)
                    : JSONText(start: start, end: end, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                _ = try scanEscape()
            case 0x80...: offset += try scanMultibyteCharacter()
            default: throw JSONError(.unexpectedByte, at: offset)
            }
        }
    }

    /// A text with the key of what it says, its escapes resolved.
    private mutating func name(_ start: Int, _ end: Int, _ hasEscapes: Bool) -> JSONText {
        guard hasEscapes else {
            return JSONText(
                start: start, end: end, hasEscapes: false,
                key: JSONText.key(bytes.extracting(start..<end)), length: end - start)
        }
        let resolved = self.bytes(of: JSONText(start: start, end: end, hasEscapes: true))
        return JSONText(
            start: start, end: end, hasEscapes: true, key: JSONText.key(resolved.span),
            length: resolved.count)
    }

    /// Where the run of printable ASCII without quotation marks and backslashes ends that begins at
    /// `start`: eight bytes at a time, and the last few one by one.
    private static func plainEnd(in bytes: Span<UInt8>, from start: Int) -> Int {
        // Sound: `load` is asked for eight bytes only where they are.
        unsafe bytes.withUnsafeBytes { buffer in
            var index = start
            while index + 8 <= buffer.count {
                let word = unsafe UInt64(
                    littleEndian: buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                // The high bit of a byte is set where subtracting borrows, or where it was set. A
                // borrow can mark bytes behind a real find too, and only the first is asked for.
                let control = word &- 0x2020_2020_2020_2020
                let quote = (word ^ 0x2222_2222_2222_2222) &- 0x0101_0101_0101_0101
                let escape = (word ^ 0x5C5C_5C5C_5C5C_5C5C) &- 0x0101_0101_0101_0101
                let found = (control | quote | escape | word) & 0x8080_8080_8080_8080
                if found != 0 { return index + found.trailingZeroBitCount / 8 }
                index += 8
            }
            while index < buffer.count {
                let byte = unsafe buffer[index]
                guard byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""),
                    byte != UInt8(ascii: "\\")
                else { break }
                index += 1
            }
            return index
        }
    }

    /// The length of the character at `offset`, by table 3-7 of the Unicode Standard.
    private mutating func scanMultibyteCharacter() throws(JSONError) -> Int {
        let lead = bytes[offset]
        let (length, second): (Int, ClosedRange<UInt8>) =
            switch lead {
            case 0xC2...0xDF: (2, 0x80...0xBF)
            case 0xE0: (3, 0xA0...0xBF)
            case 0xED: (3, 0x80...0x9F)
            case 0xE1...0xEF: (3, 0x80...0xBF)
            case 0xF0: (4, 0x90...0xBF)
            case 0xF1...0xF3: (4, 0x80...0xBF)
            case 0xF4: (4, 0x80...0x8F)
            default: throw JSONError(.invalidUTF8, at: offset)
            }
        guard offset + length <= bytes.count, second.contains(bytes[offset + 1]) else {
            throw JSONError(.invalidUTF8, at: offset)
        }
        for index in (offset + 2)..<(offset + length) {
            guard bytes[index] & 0xC0 == 0x80 else { throw JSONError(.invalidUTF8, at: offset) }
        }
        return length
    }

    private mutating func scanEscape() throws(JSONError) -> UInt32 {
        let start = offset
        guard let (scalar, length) = try Self.escape(in: bytes, at: start) else {
            throw JSONError(
                start + 2 > bytes.count ? .unexpectedEnd : .invalidEscape, at: start)
        }
        offset += length
        return scalar
    }

    /// The character that the escape at `start` stands for and the escape's length; nil if it is
    /// none of RFC 8259 §7.
    fileprivate static func escape(
        in bytes: Span<UInt8>, at start: Int
    ) throws(JSONError) -> (scalar: UInt32, length: Int)? {
        guard start + 1 < bytes.count else { return nil }
        switch bytes[start + 1] {
        case UInt8(ascii: "\""): return (0x22, 2)
        case UInt8(ascii: "\\"): return (0x5C, 2)
        case UInt8(ascii: "/"): return (0x2F, 2)
        case UInt8(ascii: "b"): return (0x08, 2)
        case UInt8(ascii: "f"): return (0x0C, 2)
        case UInt8(ascii: "n"): return (0x0A, 2)
        case UInt8(ascii: "r"): return (0x0D, 2)
        case UInt8(ascii: "t"): return (0x09, 2)
        case UInt8(ascii: "u"): break
        default: return nil
        }
        guard let unit = hexadecimalUnit(in: bytes, at: start + 2) else { return nil }
        switch unit {
        case 0xD800...0xDBFF:
            guard start + 7 < bytes.count, bytes[start + 6] == UInt8(ascii: "\\"),
                bytes[start + 7] == UInt8(ascii: "u"),
                let low = hexadecimalUnit(in: bytes, at: start + 8),
                (0xDC00...0xDFFF).contains(low)
            else { throw JSONError(.loneSurrogate, at: start) }
            return (0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00), 12)
        case 0xDC00...0xDFFF: throw JSONError(.loneSurrogate, at: start)
        default: return (unit, 6)
        }
    }

    private static func hexadecimalUnit(in bytes: Span<UInt8>, at start: Int) -> UInt32? {
        guard start + 4 <= bytes.count else { return nil }
        var unit: UInt32 = 0
        for index in start..<(start + 4) {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): unit = unit << 4 | UInt32(byte - 0x30)
            case UInt8(ascii: "a")...UInt8(ascii: "f"): unit = unit << 4 | UInt32(byte - 0x57)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): unit = unit << 4 | UInt32(byte - 0x37)
            default: return nil
            }
        }
        return unit
    }

    /// The next byte that is no white space (RFC 8259 §2); it stays unread.
    @inline(__always)
    private mutating func peek() throws(JSONError) -> UInt8 {
        if offset < bytes.count, bytes[offset] > 0x20 { return bytes[offset] }
        skipWhiteSpace()
        guard offset < bytes.count else { throw JSONError(.unexpectedEnd, at: offset) }
        return bytes[offset]
    }

    private mutating func skipWhiteSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }
}

// MARK: - Texts

/// These are `mutating` in name only: the compiler answers a borrow of a value like this one, which
/// can be neither copied nor stored, with a copy of all its bytes, and that costs more than the
/// comparison.
extension JSONReader {
    /// Whether the text says `literal` (ASCII), however it is spelt.
    package mutating func isEqual(_ text: JSONText, _ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        if !text.hasEscapes {
            guard text.end - text.start == count else { return false }
            for index in 0..<count {
                // Sound: the index is below the literal's own count.
                guard unsafe bytes[text.start + index] == literal.utf8Start[index] else {
                    return false
                }
            }
            return true
        }
        var index = 0
        var isEqual = true
        forEachByte(of: text) { byte in
            // Sound: compared with the literal's count first.
            isEqual = unsafe isEqual && index < count && byte == literal.utf8Start[index]
            index += 1
        }
        return isEqual && index == count
    }

    /// Whether the text says exactly `utf8`, however it is spelt.
    package mutating func isEqual(_ text: JSONText, _ utf8: Span<UInt8>) -> Bool {
        if !text.hasEscapes {
            guard text.end - text.start == utf8.count else { return false }
            let plain = bytes.extracting(text.start..<text.end)
            // Sound: both have `utf8.count` bytes.
            return unsafe plain.withUnsafeBytes { plain in
                unsafe utf8.withUnsafeBytes { utf8 in
                    unsafe utf8.isEmpty
                        || memcmp(plain.baseAddress!, utf8.baseAddress!, utf8.count) == 0
                }
            }
        }
        var index = 0
        var isEqual = true
        forEachByte(of: text) { byte in
            isEqual = isEqual && index < utf8.count && byte == utf8[index]
            index += 1
        }
        return isEqual && index == utf8.count
    }

    /// The text's characters as they stand, if none of them is an escape.
    @_lifetime(copy self)
    package mutating func plainBytes(of text: JSONText) -> Span<UInt8>? {
        text.hasEscapes ? nil : bytes.extracting(text.start..<text.end)
    }

    /// The text's characters as UTF-8.
    package mutating func bytes(of text: JSONText) -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(text.end - text.start)
        forEachByte(of: text) { copy.append($0) }
        return copy
    }

    package mutating func string(of text: JSONText) -> String {
        String(decoding: bytes(of: text), as: UTF8.self)
    }

    /// Calls `body` with each byte of the text's UTF-8, escapes resolved.
    package mutating func forEachByte(of text: JSONText, _ body: (UInt8) -> Void) {
        var index = text.start
        while index < text.end {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\\"),
                let (scalar, length) = try? Self.escape(in: bytes, at: index)
            {
                JSONText.forEachByte(of: scalar, body)
                index += length
            } else {
                body(byte)
                index += 1
            }
        }
    }

    /// Whether two names are the same. Allocates nothing: whoever sends names that were made to share
    /// a key gets half a million of these comparisons out of one object.
    private mutating func isSameName(_ a: JSONText, _ b: JSONText) -> Bool {
        guard a.key == b.key, a.length == b.length else { return false }
        if a.length <= 8 { return true }
        var (first, second) = (a.start, b.start)
        while first < a.end, second < b.end {
            guard character(at: &first) == character(at: &second) else { return false }
        }
        return first == a.end && second == b.end
    }

    /// The scalar value at `index` of a text that was checked, and the index moved behind it.
    private mutating func character(at index: inout Int) -> UInt32 {
        let byte = bytes[index]
        if byte == UInt8(ascii: "\\"),
            let (scalar, length) = try? Self.escape(in: bytes, at: index)
        {
            index += length
            return scalar
        }
        index += 1
        guard byte >= 0x80 else { return UInt32(byte) }
        // The lead byte's own bits: five, four or three, below as many ones as there are bytes.
        let followers = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3
        var scalar = UInt32(byte) & (0x3F >> UInt32(followers))
        for _ in 0..<followers {
            scalar = scalar << 6 | UInt32(bytes[index] & 0x3F)
            index += 1
        }
        return scalar
    }
}
