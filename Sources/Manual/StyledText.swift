/// Text of which parts are bold. Its length is the number of columns on a terminal, one for each
/// character.
struct StyledText {
    private struct Cell {
        let character: Character
        let isBold: Bool
    }

    private var cells: [Cell] = []

    init() {}

    init(_ text: String, bold: Bool = false) { append(text, bold) }

    /// Inline Markdown. A mark without its partner is text.
    init(markdown text: String, bold: Bool = false) {
        var rest = text[...]
        while let first = rest.first {
            if first == "`", let end = rest.dropFirst().firstIndex(of: "`") {
                append(rest[rest.index(after: rest.startIndex)..<end], true)
                rest = rest[rest.index(after: end)...]
            } else if let (inner, after) = Self.delimited(rest, "**") {
                append(contentsOf: StyledText(markdown: String(inner), bold: true))
                rest = after
            } else if let (label, target, after) = Self.link(rest) {
                append(contentsOf: StyledText(markdown: String(label), bold: bold))
                if target.contains("://") { append(" (\(target))", bold) }
                rest = after
            } else {
                append(rest.prefix(1), bold)
                rest.removeFirst()
            }
        }
    }

    var count: Int { cells.count }

    /// The length of the longest word.
    var longestWord: Int {
        cells.split { $0.character == " " }.map(\.count).max() ?? 0
    }

    /// With an escape sequence wherever the style changes, and the usual style at the end.
    var escaped: String {
        var text = ""
        var isBold = false
        for cell in cells {
            if cell.isBold != isBold {
                isBold = cell.isBold
                text += isBold ? "\u{1B}[1m" : "\u{1B}[0m"
            }
            text.append(cell.character)
        }
        return isBold ? text + "\u{1B}[0m" : text
    }

    /// Lines of at most `width` columns, broken at spaces.
    /// - Parameter breaksWords: whether a word that is longer than a line is broken, too.
    /// - Returns: at least one line.
    func wrapped(width: Int, breaksWords: Bool = false) -> [StyledText] {
        let width = max(1, width)
        var lines = [StyledText()]
        for word in cells.split(whereSeparator: { $0.character == " " }) {
            let isFirst = lines[lines.count - 1].cells.isEmpty
            if !isFirst, lines[lines.count - 1].count + 1 + word.count > width {
                lines.append(StyledText())
            } else if !isFirst {
                // Bold if it joins bold words, so that a phrase is one sequence.
                let isBold =
                    lines[lines.count - 1].cells.last?.isBold == true && word.first?.isBold == true
                lines[lines.count - 1].cells.append(Cell(character: " ", isBold: isBold))
            }
            var rest = word
            while breaksWords, rest.count > width {
                lines[lines.count - 1].cells += rest.prefix(width)
                rest = rest.dropFirst(width)
                lines.append(StyledText())
            }
            lines[lines.count - 1].cells += rest
        }
        return lines
    }

    /// The same text without bold parts.
    var plain: StyledText { StyledText(String(cells.map(\.character))) }

    func padded(to width: Int) -> StyledText {
        var text = self
        if count < width { text.append(String(repeating: " ", count: width - count), false) }
        return text
    }

    mutating func append(contentsOf other: StyledText) { cells += other.cells }

    private mutating func append(_ text: some StringProtocol, _ isBold: Bool) {
        cells += text.map { Cell(character: $0, isBold: isBold) }
    }

    // MARK: Inline Markdown

    /// What is between two marks at the beginning; nil if there are none, or nothing between them.
    private static func delimited(
        _ text: Substring, _ mark: String
    ) -> (inner: Substring, after: Substring)? {
        guard text.hasPrefix(mark) else { return nil }
        let inside = text.dropFirst(mark.count)
        guard let end = inside.firstRange(of: mark), end.lowerBound > inside.startIndex else {
            return nil
        }
        return (inside[..<end.lowerBound], inside[end.upperBound...])
    }

    /// `[label](target)` at the beginning.
    private static func link(
        _ text: Substring
    ) -> (label: Substring, target: Substring, after: Substring)? {
        guard text.hasPrefix("["), let middle = text.firstRange(of: "](") else { return nil }
        let target = text[middle.upperBound...]
        guard let end = target.firstIndex(of: ")") else { return nil }
        return (
            text[..<middle.lowerBound].dropFirst(), target[..<end],
            target[target.index(after: end)...]
        )
    }
}
