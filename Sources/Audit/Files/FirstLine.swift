import POSIX
import Time

/// The first line of a file that is a line of a log.
enum FirstLine {
    /// Lines that are looked at: the first may be torn.
    private static let mostLines = 100

    /// When it was written; nil if there is none among the first lines.
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
