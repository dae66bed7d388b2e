import POSIX
import Time

/// The first line of a file that is a log line.
enum FirstLine {
    /// Lines that are examined at most. The first line may be torn.
    private static let mostLines = 100

    /// The time of the first log line; nil if none of the first lines is a log line.
    static func time(of file: LogFile) -> Timestamp? {
        guard file.status.isRegularFile else { return nil }
        var lines = LineReader(file.bytes())
        for _ in 0..<mostLines {
            guard let line = try? lines.next() else { return nil }
            guard line.isWhole, let entry = LogEntry(line.bytes) else { continue }
            return entry.time
        }
        return nil
    }
}
