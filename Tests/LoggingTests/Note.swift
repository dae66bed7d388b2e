import Logging
import POSIX
import Time

/// An event for tests: `note n=… text=…`, with the fields that are there.
struct Note: LogEvent {
    var level: Level = .info
    var area: Area = .app
    var number: Int?
    var bytes: [UInt8]?

    init(_ number: Int? = nil, level: Level = .info, area: Area = .app) {
        self.number = number
        self.level = level
        self.area = area
    }

    init(bytes: [UInt8]) { self.bytes = bytes }

    init(_ text: String) { self.init(bytes: Array(text.utf8)) }

    var name: StaticString { "note" }

    func write(to line: inout LogLine) {
        if let number { line.field("n", Int64(number)) }
        if let bytes { line.field("text", bytes.span) }
    }
}

extension Note {
    /// A note with a number and a text of `padding` bytes.
    init(_ number: Int, padding: Int) {
        self.number = number
        bytes = [UInt8](repeating: UInt8(ascii: "x"), count: padding)
    }
}

/// The numbers of the notes among the lines, in order.
func numbers(_ lines: [String]) -> [Int] {
    lines.compactMap { line in
        guard let start = line.firstRange(of: " | note n=")?.upperBound else { return nil }
        return Int(line[start...].prefix { $0.isNumber })
    }
}

/// The lines of a text without their line ends; nil if the last line is incomplete.
func completeLines(_ text: String) -> [String]? {
    // A Character may contain a line end and the character before it; a scalar does not.
    guard text.isEmpty || text.unicodeScalars.last == "\n" else { return nil }
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.dropLast().map { String($0) }
}

/// A descriptor for standard error that discards everything.
let devNull = try! FileDescriptor.open("/dev/null", 1)

/// 2026-11-21T07:00:00.123Z.
let someTime = Timestamp(milliseconds: 1_795_244_400_123)
let someStamp = "2026-11-21T07:00:00.123Z | "

extension Logger {
    var isHealthy: Bool { failure == nil }
}

extension LogOptions {
    /// Failed writes are retried without a delay.
    static func retryingAtOnce(path: String) -> LogOptions {
        var options = LogOptions(path: path)
        options.retryDelays = TimeAmount(milliseconds: 0)...TimeAmount(milliseconds: 0)
        return options
    }
}
