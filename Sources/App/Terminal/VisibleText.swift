/// Escapes text from outside for a terminal: the result contains no terminal control sequences and
/// no invisible characters.
struct VisibleText {
    /// Whether visible characters outside ASCII are shown as they are. If not, they are escaped,
    /// because the terminal may interpret their bytes differently.
    let showsUTF8: Bool

    init(showsUTF8: Bool) { self.showsUTF8 = showsUTF8 }

    /// Follows the locale: the first of these variables that is not empty (POSIX "Locale
    /// Definition" §8.2).
    init(_ environment: [String: String]) {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }
            .first { !$0.isEmpty }
        let encoding = locale?.split(separator: ".", maxSplits: 1).dropFirst().first?
            .prefix { $0 != "@" }.lowercased()
        showsUTF8 = encoding == "utf-8" || encoding == "utf8"
    }

    /// Leaves ASCII as it is and escapes everything else as `\u{NNNN}`. Cuts text after `limit`
    /// characters.
    static func of(_ text: String, limit: Int = 80) -> String {
        VisibleText(showsUTF8: false).of(text, limit: limit)
    }

    /// Leaves visible characters as they are and escapes all others as `\u{NNNN}`. Cuts text after
    /// `limit` characters.
    func of(_ text: String, limit: Int = 80) -> String {
        var shown = ""
        /// The number of combining marks that the last character may still get; 0 before the first
        /// character.
        var marks = 0
        for (count, scalar) in text.unicodeScalars.enumerated() {
            if count == limit { return shown + "…" }
            switch scalar.value {
            case 0x5C: shown += "\\\\"
            case 0x20..<0x7F:
                shown.unicodeScalars.append(scalar)
                marks = Self.marksOfOne
                continue
            default:
                if showsUTF8, Self.isVisible(scalar), !Self.isMark(scalar) || marks > 0 {
                    shown.unicodeScalars.append(scalar)
                    marks = Self.isMark(scalar) ? marks - 1 : Self.marksOfOne
                    continue
                }
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            }
            marks = 0
        }
        return shown
    }

    /// More marks on one character than any language uses would cover the neighboring lines.
    private static let marksOfOne = 4

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        [.nonspacingMark, .spacingMark].contains(scalar.properties.generalCategory)
    }

    /// Whether it is a letter, mark, digit, punctuation character or symbol that is visible and
    /// does not change the text direction.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        // U+2800 is a Braille pattern without dots.
        guard !properties.isDefaultIgnorableCodePoint, !properties.isBidiControl,
            !properties.isWhitespace, scalar.value != 0x2800
        else { return false }
        return switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .nonspacingMark, .spacingMark, .decimalNumber, .letterNumber, .otherNumber,
            .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation, .finalPunctuation, .otherPunctuation, .mathSymbol,
            .currencySymbol, .modifierSymbol, .otherSymbol:
            true
        default: false
        }
    }

    /// The width in terminal cells, as an estimate: only the terminal knows it exactly.
    static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { width, scalar in
            if scalar.properties.generalCategory == .nonspacingMark { return width }
            return width + (wide.contains { $0.contains(scalar.value) } ? 2 : 1)
        }
    }

    /// East Asian wide characters and emoji, by block (Unicode Standard Annex 11).
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF,
        0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
        0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF,
        0x20000...0x3FFFD,
    ]
}
