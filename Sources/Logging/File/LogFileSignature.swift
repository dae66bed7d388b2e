import Glibc
import POSIX

/// Guards against a wrong log path in the configuration. The logger renames, truncates and
/// eventually removes its file, so it must not adopt notes or keys. A file is accepted if one of
/// these holds:
///
/// - It begins with a time in one of the three formats, or with the start of one: a crash or a
///   truncation can leave an incomplete first line. An empty file is accepted for the same reason.
/// - Its name ends in `.log`, whatever it contains. Its content is then sealed as found.
/// - A state or lock file of ours is in the same folder. This recognizes a log of another name
///   whose first lines are unreadable, such as the zeros after a power failure or inserted text.
package enum LogFileSignature {
    /// Whether the file at the path may be used as a log. True if there is no file, or no regular
    /// file: opening it reports that.
    /// - Throws: Why the file cannot be read.
    package static func isLog(_ path: String) throws(Errno) -> Bool {
        do throws(Errno) {
            let file = try SystemFileSystem().open(path, O_RDONLY, mode: 0)
            guard try file.status().isRegularFile else { return true }
            var bytes = [UInt8](repeating: 0, count: 64)
            var span = bytes.mutableSpan
            let count = try file.read(into: &span)
            if isLog(bytes.span.extracting(0..<count)) { return true }
        } catch {
            guard error != .noSuchFileOrDirectory else { return true }
            throw error
        }
        if path.hasSuffix(".log") { return true }
        if (try? LogState.isState(LogState.path(of: path))) ?? false { return true }
        // A log without seals has no state file. The lock file is created only for an accepted log.
        return (try? FileStatus(path: LogFileNames.companion(of: path, "lock")))?.isRegularFile
            ?? false
    }

    /// Whether these bytes begin like a log.
    /// - Parameter beginning: The first 40 bytes of a file, or all of a shorter one.
    static func isLog(_ beginning: Span<UInt8>) -> Bool {
        forms.contains { form in
            for index in 0..<min(beginning.count, form.count) {
                let byte = beginning[index]
                // An incomplete line that the next start has ended.
                if byte == UInt8(ascii: "\n") { return index > 0 }
                let isDigit = byte &- UInt8(ascii: "0") < 10
                guard form[index] == UInt8(ascii: "0") ? isDigit : byte == form[index] else {
                    return false
                }
            }
            return true
        }
    }

    /// The format of a file's first line; nil if the line does not begin with a complete timestamp.
    static func format(_ line: Span<UInt8>) -> LogFormat? {
        guard let first = line.count > 0 ? line[0] : nil else { return nil }
        let format = LogFormat(lineBeginningWith: first)
        let form = forms[format == .text ? 0 : format == .json ? 1 : 2]
        return line.count >= form.count && isLog(line.extracting(0..<form.count)) ? format : nil
    }

    /// The beginning of a line in each format; `0` matches any digit.
    private static let forms = [
        "0000-00-00T00:00:00.000Z | ", "{\"time\":\"0000-00-00T00:00:00.000Z\",\"level\":",
        "time=0000-00-00T00:00:00.000Z level=",
    ].map { Array($0.utf8) }
}
