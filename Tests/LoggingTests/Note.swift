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
    /// A numbered one that is longer.
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

/// The text's lines without their ends; nil if the last one has none.
func wholeLines(_ text: String) -> [String]? {
    // A Swift Character may hold a line end with what comes before it, a scalar does not.
    guard text.isEmpty || text.unicodeScalars.last == "\n" else { return nil }
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.dropLast().map { String($0) }
}

/// A descriptor for the second sink that takes everything and shows nothing.
let nowhere = try! FileDescriptor.open("/dev/null", 1)

/// 2026-11-21T07:00:00.123Z.
let someTime = Timestamp(milliseconds: 1_795_244_400_123)
let someStamp = "2026-11-21T07:00:00.123Z | "

extension Logger {
    var isHealthy: Bool { failure == nil }
}

extension LogOptions {
    /// Tries again at once what has failed, so that a test need not wait.
    static func impatient(path: String) -> LogOptions {
        var options = LogOptions(path: path)
        options.retryDelays = TimeAmount(milliseconds: 0)...TimeAmount(milliseconds: 0)
        return options
    }
}
