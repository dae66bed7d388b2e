import Time

/// Counts events over time; the time range need not be known in advance.
///
/// Theory. Counting starts with cells of one second. When more than `maximumCells` cells are in
/// use, they are merged into minutes, then hours, days and longer cells, so memory is bounded.
/// Cells are always finer than the bars that are drawn: `maximumCells` cells span far more than
/// `maximumBars` bars of the next coarser width.
struct TimeHistogram {
    static let maximumBars = 24
    private static let maximumCells = 4096
    private static let day: Int64 = 86_400

    /// Cell widths in seconds; each is a multiple of the previous one. The years 0000 to 9999, all
    /// that a log line can contain, need fewer than `maximumCells` cells of the last width.
    private static let cellWidths = [1, 60, 3600, day, 32 * day, 1024 * day]

    /// Bar widths in seconds: round units of time, and beyond months, powers of two.
    private static let barWidths: [Int64] =
        [1, 2, 5, 10, 15, 30].map { $0 } + [1, 2, 5, 10, 15, 30].map { $0 * 60 }
        + [1, 2, 3, 6, 12].map { $0 * 3600 } + [1, 2, 7, 14, 28].map { $0 * day }
        + (6...18).map { (1 << $0) * day }

    /// Counts by cell number: the start of the cell divided by its width.
    private var cells: [Int64: Int64] = [:]
    private var level = 0
    private(set) var first: Timestamp?
    private(set) var last: Timestamp?
    /// The cell that was counted last, because the next event is usually in the same. Not in
    /// `cells` yet.
    private var current: (cell: Int64, count: Int64) = (0, 0)

    struct Bars: Equatable {
        /// In seconds.
        let width: Int64
        let start: Timestamp
        /// Counts of consecutive bars, including those without events.
        let counts: [Int64]
    }

    mutating func add(_ time: Timestamp, _ weight: Int64) {
        first = min(first ?? time, time)
        last = max(last ?? time, time)
        let cell = time.seconds.floored(by: Self.cellWidths[level])
        if cell != current.cell {
            settle()
            // Settling may have merged cells.
            current.cell = time.seconds.floored(by: Self.cellWidths[level])
        }
        current.count = current.count.addingSaturated(weight)
    }

    /// The counts in the narrowest bars of which at most `maximumBars` are needed; nil if nothing
    /// was counted.
    func bars() -> Bars? {
        guard let first, let last else { return nil }
        func bar(_ seconds: Int64, _ width: Int64) -> Int64 {
            (seconds - Self.origin(width)).floored(by: width)
        }
        let width =
            Self.barWidths.first { width in
                bar(last.seconds, width) - bar(first.seconds, width) < Self.maximumBars
            } ?? Self.barWidths.last!
        let firstBar = bar(first.seconds, width)
        var counts = [Int64](repeating: 0, count: Int(bar(last.seconds, width) - firstBar) + 1)
        for (cell, count) in cells.map({ ($0.key, $0.value) }) + [current] where count > 0 {
            let index = Int(bar(cell * Self.cellWidths[level], width) - firstBar)
            // A cell belongs to exactly one bar. The index is clamped anyway, so that no input can
            // trap here.
            let inside = min(max(index, 0), counts.count - 1)
            counts[inside] = counts[inside].addingSaturated(count)
        }
        return Bars(
            width: width, start: Timestamp(seconds: firstBar * width + Self.origin(width)),
            counts: counts)
    }

    /// Weeks begin on a Monday; 1 January 1970 was a Thursday.
    private static func origin(_ width: Int64) -> Int64 {
        width >= 7 * day && width % (7 * day) == 0 ? 4 * day : 0
    }

    private mutating func settle() {
        guard current.count > 0 else { return }
        cells[current.cell] = (cells[current.cell] ?? 0).addingSaturated(current.count)
        current.count = 0
        while cells.count > Self.maximumCells, level + 1 < Self.cellWidths.count {
            let factor = Self.cellWidths[level + 1] / Self.cellWidths[level]
            var merged: [Int64: Int64] = [:]
            for (cell, count) in cells {
                let cell = cell.floored(by: factor)
                merged[cell] = (merged[cell] ?? 0).addingSaturated(count)
            }
            cells = merged
            level += 1
        }
    }
}

extension Int64 {
    /// The quotient, rounded toward negative infinity.
    fileprivate func floored(by divisor: Int64) -> Int64 {
        self / divisor - (self % divisor < 0 ? 1 : 0)
    }
}
