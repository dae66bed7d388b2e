import Logging
import POSIX
import Time

/// Statistics of a log: the number of events by kind, reason, user, address and time.
///
/// Memory is bounded whatever the log contains: see `FrequencyCounter` and `TimeHistogram`. A line
/// with `suppressed=N` represents N more events of its kind that have no line of their own.
package struct LogStatistics: ~Copyable {
    /// The options of `log stats`.
    package struct Options: Sendable {
        package enum Files: Sendable {
            /// The log at this path: the same files that `LogVerifier` reads with these keys.
            case log(path: String, keyIDs: [String]? = nil)
            /// These files. `-` is standard input; `….gz` is read through gzip(1).
            case named([String])
        }

        package var files: Files
        /// Events before this time are not counted; nil to count all.
        package var since: Timestamp?
        /// One JSON object instead of tables.
        package var asJSON = false

        package init(files: Files) { self.files = files }
    }

    private let since: Timestamp?

    private(set) var lines: Int64 = 0
    /// Lines that are not log lines, are torn, or are too long.
    private(set) var unreadable: Int64 = 0
    /// Lines of events before `since`.
    private(set) var earlier: Int64 = 0
    /// Events that have no line of their own; the field `suppressed` of another line counts them.
    private(set) var suppressed: Int64 = 0
    /// All events, including the suppressed ones. The same holds for all counts below.
    private(set) var events: Int64 = 0
    /// Indexed by the level's raw value.
    private(set) var levels = InlineArray<5, Int64>(repeating: 0)
    private(set) var kinds = FrequencyCounter()
    private(set) var reasons = FrequencyCounter()
    private(set) var users = FrequencyCounter()
    private(set) var addresses = FrequencyCounter()
    private(set) var times = TimeHistogram()

    init(since: Timestamp? = nil) { self.since = since }

    /// Reads the files and writes the statistics.
    ///
    /// - Parameter output: a file descriptor; the caller remains its owner.
    package static func run(_ options: Options, to output: CInt) throws(ReadingError) {
        var statistics = LogStatistics(since: options.since)
        switch options.files {
        case .log(let path, let keyIDs): try statistics.readLog(path, keyIDs)
        case .named(let paths):
            for path in paths { try statistics.read(LogFile(path, .named, waits: true)) }
        }
        let report = options.asJSON ? statistics.json() : Array(statistics.text().utf8)
        try Output(output).write(report.span)
    }

    // MARK: Reading

    mutating func readLog(_ path: String, _ keyIDs: [String]? = nil) throws(ReadingError) {
        let set = LogSet(of: path, .configured, keyIDs: keyIDs)
        if let problem = set.problems.first { throw problem.error }
        if set.files.isEmpty { throw .file(path: path, .noSuchFileOrDirectory) }
        for file in set.files { try read(file) }
    }

    mutating func read(_ file: LogFile) throws(ReadingError) {
        var lines = LineReader(file.bytes())
        do throws(Errno) {
            while let line = try lines.next() {
                if line.isWhole {
                    add(line.bytes)
                } else if line.isBeginning {
                    // A line that is too long, or has no line end.
                    self.lines += 1
                    unreadable += 1
                }
            }
        } catch {
            throw ReadingError(file.path, error)
        }
    }
    /// Counts one line.
    /// - Parameter line: the line without its line end.
    mutating func add(_ line: Span<UInt8>) {
        lines += 1
        guard let entry = LogEntry(line) else {
            unreadable += 1
            return
        }
        if let since, entry.time < since {
            earlier += 1
            return
        }
        let hidden = count(entry, 1)
        guard hidden > 0 else { return }
        suppressed = suppressed.addingSaturated(hidden)
        if hidden > 1 { _ = count(entry, hidden - 1) }
    }

    /// - Returns: the number of events that this line counts without a line of their own.
    private mutating func count(_ entry: borrowing LogEntry, _ weight: Int64) -> Int64 {
        var hidden: Int64 = 0
        entry.forEachField { name, value in
            switch name.count {
            case 2 where name.isEqual("ip"): addresses.add(value, weight)
            case 4 where name.isEqual("user"): users.add(value, weight)
            case 6 where name.isEqual("reason"): reasons.add(value, weight)
            case 10 where name.isEqual("suppressed"): hidden = Self.number(value)
            default: break
            }
        }
        kinds.add(entry.event, weight)
        times.add(entry.time, weight)
        let level = Int(entry.level.rawValue)
        levels[level] = levels[level].addingSaturated(weight)
        events = events.addingSaturated(weight)
        return hidden
    }

    /// 0 if the value is not a number.
    private static func number(_ digits: Span<UInt8>) -> Int64 {
        // Eighteen digits always fit into 64 bits.
        guard 1...18 ~= digits.count else { return 0 }
        var value: Int64 = 0
        for index in digits.indices {
            let digit = digits[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return 0 }
            value = value * 10 + Int64(digit)
        }
        return value
    }
}
