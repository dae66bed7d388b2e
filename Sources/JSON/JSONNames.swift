/// The names that a caller knows, for telling in one step which of them a member has.
///
/// A table by the key that every name has already; for names of up to eight bytes the key is the name.
package struct JSONNames: Sendable {
    private struct Known: Sendable {
        let key: UInt64
        let text: [UInt8]
    }

    private let names: [Known]
    /// The index of a name, or -1, by its key; the next place if that is taken.
    private var table = [Int](repeating: -1, count: 64)

    /// - Parameter names: at most 16, different from each other; a name is known by its place here.
    package init(_ names: [String]) {
        precondition(names.count <= 16)
        self.names = names.map { name in
            let text = Array(name.utf8)
            return Known(key: JSONText.key(text.span), text: text)
        }
        for (index, name) in self.names.enumerated() {
            var place = JSONText.slot(name.key)
            while table[place] >= 0 { place = (place + 1) & 63 }
            table[place] = index
        }
    }

    /// Which name this is; nil if it is none of them.
    package func index(of name: JSONText, in reader: inout JSONReader) -> Int? {
        var place = JSONText.slot(name.key)
        while table[place] >= 0 {
            let index = table[place]
            if names[index].key == name.key, names[index].text.count == Int(name.length) {
                if name.length <= 8 { return index }
                let text = names[index].text
                if reader.isEqual(name, text.span) { return index }
            }
            place = (place + 1) & 63
        }
        return nil
    }
}
