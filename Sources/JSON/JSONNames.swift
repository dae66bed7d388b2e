/// The names that a caller knows, for telling in one step which of them a member has.
///
/// A table by the hash that every name has already; one comparison settles it.
package struct JSONNames: Sendable {
    /// All names, one behind the other, and where each begins and ends.
    private var text: [UInt8] = []
    private var bounds = [0]
    /// The index of a name, or -1, by the low bits of its hash; the next place if that is taken.
    private var table = [Int](repeating: -1, count: 64)

    /// - Parameter names: at most 16, different from each other; a name is known by its place here.
    package init(_ names: [String]) {
        precondition(names.count <= 16)
        for (index, name) in names.enumerated() {
            var place = Int(name.utf8.reduce(JSONText.hashBasis, JSONText.hash) & 63)
            while table[place] >= 0 { place = (place + 1) & 63 }
            table[place] = index
            text += Array(name.utf8)
            bounds.append(text.count)
        }
    }

    /// Which name this is; nil if it is none of them.
    package func index(of name: JSONText, in reader: inout JSONReader) -> Int? {
        var place = Int(name.hash & 63)
        while table[place] >= 0 {
            let index = table[place]
            let known = text.span.extracting(bounds[index]..<bounds[index + 1])
            if reader.isEqual(name, known) { return index }
            place = (place + 1) & 63
        }
        return nil
    }
}
