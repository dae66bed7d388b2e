/// A table of Markdown: columns side by side where they fit, otherwise each row as a list of its
/// cells.
struct TerminalTable {
    private let header: [StyledText]
    private let rows: [[StyledText]]
    private let columnCount: Int

    /// Spaces between columns.
    private static let gap = 2
    /// A column of sentences that is narrower than this is hard to read.
    private static let narrowestText = 24
    /// A word may be broken from this length on.
    private static let longestWord = 40
    private static let indent = "    "

    /// - Parameter source: lines that begin with `|`; the second one is the rule below the header.
    init(parsing source: [Substring]) {
        var cells = source.map(Self.cells)
        if cells.count > 1, cells[1].allSatisfy(Self.isRule) { cells.remove(at: 1) }
        let count = cells.map(\.count).max() ?? 0
        columnCount = count
        let texts = cells.enumerated().map { index, row in
            (row + [String](repeating: "", count: count - row.count))
                .map { StyledText(markdown: $0, bold: index == 0) }
        }
        header = texts.first ?? []
        rows = Array(texts.dropFirst())
    }

    func lines(width: Int) -> [String] {
        guard columnCount > 0 else { return [] }
        guard let widths = columnWidths(width) else { return stacked(width: width) }
        let isHeaderEmpty = header.allSatisfy { $0.count == 0 }
        return ((isHeaderEmpty ? [] : [header]) + rows).flatMap { Self.lines(of: $0, widths) }
    }

    // MARK: Side by side

    /// Nil if the columns do not fit, or a column of sentences would be too narrow.
    private func columnWidths(_ width: Int) -> [Int]? {
        let all = [header] + rows
        let natural = (0..<columnCount).map { column in all.map { $0[column].count }.max() ?? 0 }
        let available = width - Self.gap * (columnCount - 1)
        guard natural.reduce(0, +) > available else { return natural }
        var widths = (0..<columnCount).map { column in
            min(all.map { $0[column].longestWord }.max() ?? 0, Self.longestWord)
        }
        var free = available - widths.reduce(0, +)
        guard free >= 0 else { return nil }
        // One column at a time to the one that lacks most.
        while free > 0 {
            let lacking = (0..<columnCount).max {
                natural[$0] - widths[$0] < natural[$1] - widths[$1]
            }
            guard let lacking, natural[lacking] > widths[lacking] else { break }
            widths[lacking] += 1
            free -= 1
        }
        for (width, natural) in zip(widths, natural)
        where width < min(natural, Self.narrowestText) && natural > Self.narrowestText {
            return nil
        }
        return widths
    }

    private static func lines(of row: [StyledText], _ widths: [Int]) -> [String] {
        let cells = zip(row, widths).map { $0.wrapped(width: $1, breaksWords: true) }
        return (0..<(cells.map(\.count).max() ?? 0)).map { index in
            var line = StyledText()
            for (cell, width) in zip(cells, widths) {
                let text = index < cell.count ? cell[index] : StyledText()
                line.append(contentsOf: text.padded(to: width + gap))
            }
            return line.escaped.trimmingSpaces
        }
    }

    // MARK: One below the other

    private func stacked(width: Int) -> [String] {
        let labelWidth = header.dropFirst().map(\.count).max() ?? 0
        var lines: [String] = []
        for row in rows {
            if !lines.isEmpty { lines.append("") }
            lines += row[0].wrapped(width: width).map(\.escaped)
            for (label, cell) in zip(header, row).dropFirst() where cell.count > 0 {
                let label = label.plain.padded(to: labelWidth + Self.gap)
                let space = width - Self.indent.count - label.count
                for (index, line) in cell.wrapped(width: space, breaksWords: true).enumerated() {
                    let start = index == 0 ? label : StyledText().padded(to: label.count)
                    lines.append("\(Self.indent)\(start.escaped)\(line.escaped)".trimmingSpaces)
                }
            }
        }
        return lines
    }

    // MARK: Markdown

    /// The cells of `| a | b |`; `\|` is a bar in a cell.
    private static func cells(_ line: Substring) -> [String] {
        var cells: [String] = []
        var cell = ""
        var isEscaped = false
        for character in line.dropFirst() {
            if isEscaped {
                cell += character == "|" ? "|" : "\\\(character)"
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "|" {
                cells.append(cell.trimmingBlanks)
                cell = ""
            } else {
                cell.append(character)
            }
        }
        if isEscaped { cell += "\\" }
        // A row that does not end with a bar has one more cell.
        if !cell.trimmingBlanks.isEmpty { cells.append(cell.trimmingBlanks) }
        return cells
    }

    private static func isRule(_ cell: String) -> Bool {
        !cell.isEmpty && cell.allSatisfy { $0 == "-" || $0 == ":" }
    }
}

extension String {
    fileprivate var trimmingBlanks: String { String(drop { $0 == " " }).trimmingSpaces }

    /// Without spaces at the end.
    fileprivate var trimmingSpaces: String {
        guard let last = lastIndex(where: { $0 != " " }) else { return "" }
        return String(self[...last])
    }
}
