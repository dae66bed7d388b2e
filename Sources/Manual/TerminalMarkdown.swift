/// Markdown as a terminal shows it: headings in bold, paragraphs wrapped, tables aligned, code
/// blocks indented, links as their text.
///
/// Understands what the manual uses: headings, paragraphs, lists of one level, fenced code blocks,
/// tables, `**bold**`, `` `code` `` and `[text](target)`. Any other text is printed as it is; no
/// text and no width is an error.
package struct TerminalMarkdown {
    /// Columns. Words that are longer than a line are not broken, and code blocks are not wrapped.
    private let width: Int
    private var lines: [String] = []

    /// Narrower or wider terminals are treated as this.
    private static let widths = 20...500

    /// - Returns: lines with line ends, and the escape sequences of ECMA-48 for bold text.
    package static func rendered(_ text: String, width: Int = 80) -> String {
        var renderer = TerminalMarkdown(
            width: min(max(width, widths.lowerBound), widths.upperBound))
        renderer.render(text.split(separator: "\n", omittingEmptySubsequences: false))
        return renderer.lines.map { $0 + "\n" }.joined()
    }

    private init(width: Int) { self.width = width }

    // MARK: Blocks

    private mutating func render(_ source: [Substring]) {
        var rest = source[...]
        while let line = rest.first {
            if line.hasPrefix("```") {
                rest.removeFirst()
                renderCode(&rest)
            } else if line.hasPrefix("#") {
                rest.removeFirst()
                separate()
                lines.append(
                    StyledText(String(line.drop { $0 == "#" || $0 == " " }), bold: true).escaped)
                lines.append("")
            } else if line.hasPrefix("|") {
                let table = rest.prefix { $0.hasPrefix("|") }
                rest = rest.dropFirst(table.count)
                separate()
                lines += TerminalTable(parsing: Array(table)).lines(width: width)
                lines.append("")
            } else if line.isBlank {
                rest.removeFirst()
                separate()
            } else if let marker = Self.listMarker(line) {
                rest.removeFirst()
                renderItem(marker, line.dropFirst(marker.count), &rest)
            } else {
                renderParagraph(&rest)
            }
        }
        while lines.last?.isEmpty == true { lines.removeLast() }
    }

    /// One empty line, but none at the beginning.
    private mutating func separate() {
        if lines.last?.isEmpty == false { lines.append("") }
    }

    private mutating func renderCode(_ rest: inout ArraySlice<Substring>) {
        separate()
        while let line = rest.popFirst(), !line.hasPrefix("```") { lines.append("    \(line)") }
        lines.append("")
    }

    private mutating func renderParagraph(_ rest: inout ArraySlice<Substring>) {
        // The first line belongs to it whatever it looks like: every line must belong to a block.
        var text = String(rest.removeFirst())
        while let line = rest.first, !Self.beginsBlock(line) {
            text += " \(line)"
            rest.removeFirst()
        }
        lines += StyledText(markdown: text).wrapped(width: width).map(\.escaped)
    }

    /// An item, with the indented lines that continue it.
    private mutating func renderItem(
        _ marker: Substring, _ first: Substring, _ rest: inout ArraySlice<Substring>
    ) {
        var text = String(first)
        while let line = rest.first, line.hasPrefix(" "), !line.isBlank {
            text += " \(line.drop { $0 == " " })"
            rest.removeFirst()
        }
        let indent = String(repeating: " ", count: marker.count)
        let wrapped = StyledText(markdown: text).wrapped(width: width - marker.count)
        for (index, line) in wrapped.enumerated() {
            lines.append("\(index == 0 ? String(marker) : indent)\(line.escaped)")
        }
    }

    private static func beginsBlock(_ line: Substring) -> Bool {
        line.isBlank || line.hasPrefix("```") || line.hasPrefix("#") || line.hasPrefix("|")
            || listMarker(line) != nil
    }

    /// `- `, or `1. ` with one or two digits.
    private static func listMarker(_ line: Substring) -> Substring? {
        if line.hasPrefix("- ") { return line.prefix(2) }
        let digits = line.prefix { $0.isASCII && $0.isNumber }
        guard (1...2).contains(digits.count), line.dropFirst(digits.count).hasPrefix(". ") else {
            return nil
        }
        return line.prefix(digits.count + 2)
    }
}

extension Substring {
    fileprivate var isBlank: Bool { allSatisfy { $0 == " " || $0 == "\t" } }
}
