import Glibc

/// Reads one JSON text (RFC 8259) sequentially, value by value. Rejects everything that two readers
/// could interpret differently: duplicate names, lone surrogates, invalid UTF-8, numbers that do
/// not fit, and trailing bytes.
///
/// The caller requests what it expects next (`beginObject`, `nextName`, `readInteger`, `skipValue`,
/// …). Skipped values are validated as strictly as read ones. Borrows the bytes and copies none.
/// Allocates only while more than `namesOnTheStack` names are open, and for a number that is not a
/// 64-bit integer. Never traps on input.
///
/// Duplicate names are found with a 64-bit filter per object. The earlier names are compared only
/// if a name's bit is already set, so the common object costs one test per member.
package struct JSONReader: ~Copyable, ~Escapable {
    /// The default limit of nesting. Tokens and requests need three levels.
    package static let defaultDepth = 16
    /// The limit of names in all open objects; it bounds the work of finding duplicates.
    package static let maximumNames = 1024
    /// The limit for input from clients, which needs three names.
    package static let maximumNamesFromClients = 64

    static let namesOnTheStack = 8
    /// Tokens store 32-bit offsets. Every caller has a much smaller limit.
    static let maximumLength = 1 << 31

    /// An open object or array.
    struct Level {
        var filter: UInt64 = 0
        /// The index of this object's first name in the name stack.
        var firstName: Int32 = 0
        var isObject = false
        var hasMembers = false
    }

    let bytes: Span<UInt8>
    let maximumDepth: Int
    let maximumNames: Int
    var offset = 0
    var depth = 0
    /// The innermost open object or array.
    var level = Level()
    /// The objects and arrays around it, by depth.
    var outerLevels = InlineArray<16, Level>(repeating: Level())
    var nameCount = 0
    var names = InlineArray<8, JSONStringToken>(repeating: JSONStringToken())
    var furtherNames: [JSONStringToken] = []

    /// - Parameters:
    ///   - maximumDepth: the limit of nested objects and arrays, at most `defaultDepth`.
    ///   - maximumNames: the limit of names in all open objects.
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
    /// The number of bytes read, for callers that edit the text in place.
    package var position: Int { offset }

    package enum Kind: Sendable { case object, array, string, number, boolean, null }

    /// The type of the next value, from its first byte.
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

    /// Reads the next member's name; the reader is then before its value. Nil at the end of the
    /// object.
    package mutating func nextName() throws(JSONError) -> JSONStringToken? {
        precondition(depth > 0 && level.isObject, "JSONReader.nextName: not in an object")
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
            endContainer()
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
        try recordName(name)
        return name
    }

    /// The bytes of the next member's name and their count, if it is written as `"name":` without
    /// white space and the name has at most seven bytes; otherwise nil. The bytes are not
    /// validated.
    mutating func shortMember() -> (key: UInt64, length: Int)? {
        // Sound: the bytes that are read exist, as is checked first.
        unsafe bytes.withUnsafeBytes { bytes in
            var start = offset
            if level.hasMembers {
                guard start < bytes.count, unsafe bytes[start] == UInt8(ascii: ",") else {
                    return nil
                }
                start += 1
            }
            guard start + 10 <= bytes.count, unsafe bytes[start] == UInt8(ascii: "\"") else {
                return nil
            }
            let word = unsafe UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: start + 1, as: UInt64.self))
            // The high bit of a byte is set where there is a quotation mark; after the first one,
            // possibly also elsewhere.
            let quote = word ^ 0x2222_2222_2222_2222
            let found = (quote &- 0x0101_0101_0101_0101) & ~quote & 0x8080_8080_8080_8080
            guard found != 0 else { return nil }
            let length = found.trailingZeroBitCount / 8
            guard unsafe bytes[start + length + 2] == UInt8(ascii: ":") else { return nil }
            return (word & (1 &<< UInt64(8 * length) &- 1), length)
        }
    }

    /// Skips a name that `shortMember` returned.
    mutating func skipMember(count: Int) {
        offset += level.hasMembers ? count + 1 : count
        level.hasMembers = true
    }

    /// Skips a name and its colon if they are written here exactly like this, with the comma before
    /// them. Does not record the name for the duplicate check; `JSONKeySet` does.
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

    /// Whether the array has another value, with the reader before it. False ends the array.
    package mutating func nextElement() throws(JSONError) -> Bool {
        precondition(depth > 0 && !level.isObject, "JSONReader.nextElement: not in an array")
        let byte = try peek()
        if byte == UInt8(ascii: "]") {
            offset += 1
            endContainer()
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

    /// Ends the text: only white space may remain.
    /// - Throws: `trailingBytes`.
    package mutating func finish() throws(JSONError) {
        skipWhiteSpace()
        guard offset == bytes.count else { throw JSONError(.trailingBytes, at: offset) }
    }

    /// Skips one value of any type and validates all of it.
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

    mutating func begin(_ opening: UInt8, isObject: Bool) throws(JSONError) {
        guard try peek() == opening else { throw JSONError(.wrongType, at: offset) }
        guard depth < maximumDepth else { throw JSONError(.tooDeep, at: offset) }
        offset += 1
        outerLevels[depth] = level
        depth += 1
        level = Level(
            filter: 0, firstName: Int32(nameCount), isObject: isObject, hasMembers: false)
    }

    mutating func endContainer() {
        depth -= 1
        level = outerLevels[depth]
    }

    mutating func recordName(_ name: JSONStringToken) throws(JSONError) {
        let bit: UInt64 = 1 &<< UInt64(JSONStringToken.slot(name.key))
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
