/// The expected member names of an object. Determines in one step which of them a member has.
///
/// 1. A name of up to seven characters is looked up by the eight bytes at its position, without
///   being read. For the five names of a token this takes 1,000 instructions instead of 2,700.
/// 2. For a longer name: writers use a fixed order, which the caller usually knows. So the names
///   that are expected next are compared as they would be written.
/// 3. If both fail, the name is read and looked up by its key.
package struct JSONKeySet: Sendable {
    private struct Known: Sendable {
        let key: UInt64
        let text: [UInt8]
    }

    private let known: [Known]
    /// `"name":` for each name, as written without white space, concatenated; `bounds` contains the
    /// start and end of each.
    private var written: [UInt8] = []
    private var bounds = [0]
    /// A hash table with linear probing: the index of a name by its key, or -1.
    private var table = [Int](repeating: -1, count: 64)

    /// - Parameter names: at most 16 different names in their usual order, without characters that
    ///   need an escape. A name is identified by its index here.
    package init(_ names: [String]) {
        precondition(names.count <= 16)
        known = names.map { name in
            let text = Array(name.utf8)
            return Known(key: JSONStringToken.key(text.span), text: text)
        }
        for name in names {
            written += Array("\"\(name)\":".utf8)
            bounds.append(written.count)
        }
        for (index, name) in known.enumerated() {
            var slot = JSONStringToken.slot(name.key)
            while table[slot] >= 0 { slot = (slot + 1) & 63 }
            table[slot] = index
        }
    }

    /// The index of this name; nil if it is not in the set.
    func index(of name: JSONStringToken, in reader: inout JSONReader) -> Int? {
        var slot = JSONStringToken.slot(name.key)
        while table[slot] >= 0 {
            let index = table[slot]
            if known[index].key == name.key, known[index].text.count == Int(name.length) {
                if name.length <= 8 { return index }
                let text = known[index].text
                if reader.isEqual(name, text.span) { return index }
            }
            slot = (slot + 1) & 63
        }
        return nil
    }

    /// The index of the name with this key and length. Only for at most eight characters, which the
    /// key contains completely.
    func index(ofShort key: UInt64, _ length: Int) -> Int? {
        var slot = JSONStringToken.slot(key)
        while table[slot] >= 0 {
            let index = table[slot]
            if known[index].key == key, known[index].text.count == length { return index }
            slot = (slot + 1) & 63
        }
        return nil
    }

    var count: Int { known.count }

    /// A name as written, with quotation marks and colon.
    @_lifetime(borrow self)
    func written(_ index: Int) -> Span<UInt8> {
        written.span.extracting(bounds[index]..<bounds[index + 1])
    }

    /// The progress of a caller that reads an object with `nextMember`.
    package struct Cursor: Sendable {
        /// One bit for each name of the set that the object already had.
        var seen: UInt32 = 0
        /// The index of the name that is expected next.
        var expected = 0

        package init() {}
    }
}

extension JSONReader {
    package enum Member: Sendable {
        /// A name of the set, by its index.
        case known(Int)
        case other(JSONStringToken)
    }

    /// Reads the next member's name; the reader is then before its value. Nil at the end of the
    /// object.
    /// - Throws: as `nextName`: a name that the object already had is an error, whether in the set
    ///   or not.
    package mutating func nextMember(
        of names: JSONKeySet, _ cursor: inout JSONKeySet.Cursor
    ) throws(JSONError) -> Member? {
        if let index = skipShort(names) ?? skipExpected(names, cursor.expected) {
            try markSeen(index, &cursor)
            return .known(index)
        }
        guard let name = try nextName() else { return nil }
        guard let index = names.index(of: name, in: &self) else { return .other(name) }
        try markSeen(index, &cursor)
        return .known(index)
    }

    private mutating func markSeen(
        _ index: Int, _ cursor: inout JSONKeySet.Cursor
    ) throws(JSONError) {
        let bit: UInt32 = 1 &<< UInt32(index)
        guard cursor.seen & bit == 0 else { throw JSONError(.duplicateName, at: offset) }
        cursor.seen |= bit
        cursor.expected = index + 1
    }

    /// Skips a name of up to seven characters, if it is in the set and written without white space;
    /// returns its index. The bytes need no further checks, because they are equal to a valid name.
    private mutating func skipShort(_ names: JSONKeySet) -> Int? {
        guard let (key, length) = shortMember() else { return nil }
        guard let index = names.index(ofShort: key, length) else { return nil }
        // The quotation marks and the colon.
        skipMember(count: length + 3)
        return index
    }

    /// Skips one of the next two expected names, if it is written here without white space; returns
    /// its index.
    private mutating func skipExpected(_ names: JSONKeySet, _ expected: Int) -> Int? {
        for index in expected..<min(expected + 2, names.count)
        where skipMember(names.written(index)) {
            return index
        }
        return nil
    }
}
