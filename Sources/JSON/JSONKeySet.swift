/// The names that a caller knows of an object's members, for telling in one step which of them a
/// member has.
///
/// A name of up to seven characters is looked up by the word that it fits into, without being read.
/// For longer ones: writers keep to an order, and mostly the caller knows it, so the name that follows
/// the last one is tried, as the bytes that it would be. Only where both fail is the name read, and
/// looked up by its key.
package struct JSONKeySet: Sendable {
    private struct Known: Sendable {
        let key: UInt64
        let text: [UInt8]
    }

    private let known: [Known]
    /// `"name":` for each name, as a writer without white space has it, one behind the other; and
    /// where each begins and ends.
    private var written: [UInt8] = []
    private var bounds = [0]
    /// The index of a name, or -1, by its key; the next place if that is taken.
    private var table = [Int](repeating: -1, count: 64)

    /// - Parameter names: at most 16, different from each other, in their usual order; without
    ///   characters that need an escape. A name is known by its place here.
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
            var place = JSONStringToken.slot(name.key)
            while table[place] >= 0 { place = (place + 1) & 63 }
            table[place] = index
        }
    }

    /// Which name this is; nil if it is none of them.
    func index(of name: JSONStringToken, in reader: inout JSONReader) -> Int? {
        var place = JSONStringToken.slot(name.key)
        while table[place] >= 0 {
            let index = table[place]
            if known[index].key == name.key, known[index].text.count == Int(name.length) {
                if name.length <= 8 { return index }
                let text = known[index].text
                if reader.isEqual(name, text.span) { return index }
            }
            place = (place + 1) & 63
        }
        return nil
    }

    /// The name that has this key and this length; at most eight characters, which the key has whole.
    func index(ofShort key: UInt64, _ length: Int) -> Int? {
        var place = JSONStringToken.slot(key)
        while table[place] >= 0 {
            let index = table[place]
            if known[index].key == key, known[index].text.count == length { return index }
            place = (place + 1) & 63
        }
        return nil
    }

    var count: Int { known.count }

    /// A name as it is written, colon included.
    @_lifetime(borrow self)
    func written(_ index: Int) -> Span<UInt8> {
        written.span.extracting(bounds[index]..<bounds[index + 1])
    }

    /// Where a caller stands in an object that it reads with `nextMember`.
    package struct Cursor: Sendable {
        /// A bit for each known name that was there.
        var seen: UInt32 = 0
        /// The place of the name that is likely to come next.
        var expected = 0

        package init() {}
    }
}

extension JSONReader {
    package enum Member: Sendable {
        /// One of the known names, by its place.
        case known(Int)
        case other(JSONStringToken)
    }

    /// The next member, with the reader in front of its value; nil when the object has ended. As
    /// strict as `nextName`: a name that was there before is an error, known or not.
    package mutating func nextMember(
        of names: JSONKeySet, _ progress: inout JSONKeySet.Cursor
    ) throws(JSONError) -> Member? {
        if let index = skipShort(names) ?? skipExpected(names, progress.expected) {
            try note(index, &progress)
            return .known(index)
        }
        guard let name = try nextName() else { return nil }
        guard let index = names.index(of: name, in: &self) else { return .other(name) }
        try note(index, &progress)
        return .known(index)
    }

    private mutating func note(
        _ index: Int, _ progress: inout JSONKeySet.Cursor
    ) throws(JSONError) {
        let bit: UInt32 = 1 &<< UInt32(index)
        guard progress.seen & bit == 0 else { throw JSONError(.duplicateName, at: offset) }
        progress.seen |= bit
        progress.expected = index + 1
    }

    /// Steps over a name of up to seven characters, if one of these stands here as a writer without
    /// white space has it, in any order; which one. Not every byte of it is looked at by itself: what
    /// is a known name, to the byte, is right.
    private mutating func skipShort(_ names: JSONKeySet) -> Int? {
        guard let (key, length) = shortMember() else { return nil }
        guard let index = names.index(ofShort: key, length) else { return nil }
        // The quotation marks and the colon.
        skipMember(count: length + 3)
        return index
    }

    /// Steps over one of the next two names, if it stands here as a writer without white space has
    /// it; which one.
    private mutating func skipExpected(_ names: JSONKeySet, _ expected: Int) -> Int? {
        for index in expected..<min(expected + 2, names.count)
        where skipMember(names.written(index)) {
            return index
        }
        return nil
    }
}
