/// Suggestions for misspelled names.
enum Spelling {
    /// How many edits a suggestion may be away from the name.
    private static let maximumDistance = 2

    /// The candidate with the smallest edit distance to a name, if that is at most 2; the first in
    /// alphabetical order if there are several.
    static func nearest(to name: String, in candidates: Set<String>) -> String? {
        let length = name.count
        // The distance is at least the difference of the lengths. A name may be very long.
        return candidates.filter { abs($0.count - length) <= maximumDistance }
            .map { (distance: distance(name, $0), candidate: $0) }
            .filter { $0.distance <= maximumDistance }
            .min { ($0.distance, $0.candidate) < ($1.distance, $1.candidate) }?.candidate
    }

    /// The Levenshtein distance: how many characters have to be inserted, removed or replaced to
    /// turn one string into the other.
    static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a), Array(b))
        // The distances from the characters of `a` so far to each beginning of `b`.
        var row = Array(0...b.count)
        for (index, character) in a.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in b.enumerated() {
                let replaced = diagonal + (character == other ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[b.count]
    }
}
