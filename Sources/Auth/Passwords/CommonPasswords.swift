/// The passwords that attackers try first.
///
/// Passwords and list entries are compared after folding: letters become lowercase, and digits and
/// signs that resemble letters become those letters. `P@ssw0rd` and `password` are equal.
enum CommonPasswords {
    /// Whether the password is a common one, possibly with a few digits and signs before or after
    /// it, as in `Winter2026!`.
    /// - Parameter lowered: the password in lowercase UTF-8.
    static func contain(_ lowered: [UInt8]) -> Bool {
        for start in 0...min(leadingSigns(lowered), maximumAddition) {
            let longest = min(trailingSigns(lowered), maximumAddition - start)
            guard start + longest <= lowered.count else { continue }
            for end in (lowered.count - longest)...lowered.count {
                if isListed(folded(lowered[start..<end])) { return true }
            }
        }
        return false
    }

    /// Whether the password is the user's name, once or repeatedly, possibly with digits and signs
    /// before or after it.
    /// - Parameters:
    ///   - lowered: the password in lowercase UTF-8.
    ///   - name: the user name in lowercase UTF-8.
    static func isName(_ lowered: [UInt8], _ name: [UInt8]) -> Bool {
        guard lowered != name else { return true }
        let name = squeezed(name[...])
        guard !name.isEmpty else { return false }
        for start in 0...min(leadingSigns(lowered), maximumAddition) {
            for end in (lowered.count - trailingSigns(lowered))...lowered.count where end > start {
                let core = squeezed(lowered[start..<end])
                let isRepeated =
                    !core.isEmpty && core.count.isMultiple(of: name.count)
                    && core.indices.allSatisfy { core[$0] == name[$0 % name.count] }
                if isRepeated { return true }
            }
        }
        return false
    }

    /// Characters that may surround a common word. Up to ten additional digits can be guessed; more
    /// are a secret by themselves.
    private static let maximumAddition = 10

    // MARK: Folding

    static func folded(_ text: ArraySlice<UInt8>) -> [UInt8] { text.map(folded) }

    private static func folded(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): folded(byte | 0x20)
        case UInt8(ascii: "0"): UInt8(ascii: "o")
        // 1 and ! resemble both i and l, so l folds to i, too.
        case UInt8(ascii: "1"), UInt8(ascii: "!"), UInt8(ascii: "|"), UInt8(ascii: "l"):
            UInt8(ascii: "i")
        case UInt8(ascii: "3"): UInt8(ascii: "e")
        case UInt8(ascii: "4"), UInt8(ascii: "@"): UInt8(ascii: "a")
        case UInt8(ascii: "5"), UInt8(ascii: "$"): UInt8(ascii: "s")
        case UInt8(ascii: "7"): UInt8(ascii: "t")
        case UInt8(ascii: "8"): UInt8(ascii: "b")
        case UInt8(ascii: "9"): UInt8(ascii: "g")
        default: byte
        }
    }

    /// Folded, without characters that resemble no letter: `john.smith` becomes `johnsmith`.
    private static func squeezed(_ text: ArraySlice<UInt8>) -> [UInt8] {
        folded(text).filter { isLetter($0) || (0x30...0x39).contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte | 0x20) || byte >= 0x80
    }

    private static func leadingSigns(_ text: [UInt8]) -> Int {
        text.firstIndex(where: isLetter) ?? text.count
    }

    private static func trailingSigns(_ text: [UInt8]) -> Int {
        text.lastIndex(where: isLetter).map { text.count - 1 - $0 } ?? text.count
    }

    // MARK: Search

    /// Binary search in `all`: the words are sorted and differ in length.
    static func isListed(_ word: [UInt8]) -> Bool {
        let text = all.utf8.span
        var (low, high) = (0, text.count)
        while low < high {
            // Move to the start of the word at the middle.
            var start = low + (high - low) / 2
            while start > low, text[start - 1] != UInt8(ascii: " ") { start -= 1 }
            var end = start
            while end < text.count, text[end] != UInt8(ascii: " ") { end += 1 }
            switch order(of: word, text.extracting(start..<end)) {
            case 0: return true
            case ..<0: high = start
            default: low = end + 1
            }
        }
        return false
    }

    /// Negative if `word` sorts before `other` by bytes, 0 if they are equal.
    private static func order(of word: [UInt8], _ other: Span<UInt8>) -> Int {
        for index in 0..<min(word.count, other.count) where word[index] != other[index] {
            return Int(word[index]) - Int(other[index])
        }
        return word.count - other.count
    }
}
