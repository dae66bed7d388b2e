import Glibc
import POSIX

/// Whether a file that stands where a log is to be can be one: a log is renamed, cut and in the end
/// removed, and nobody's notes or keys must be.
///
/// A log begins with a time in one of the three spellings, whoever wrote it. What a crash or a cut
/// leaves of a first line is a beginning of that. A file that is called `.log` is meant to be one,
/// whatever stands in it: that is sealed as found. And a log of another name whose first lines are no
/// lines at all (the zeros that a power failure leaves, or something put in) is known by the state or
/// the lock beside it.
package enum LogFileSignature {
    /// - Throws: why the file cannot be read; one that is not there, or no regular file, is no obstacle.
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
        // Where there are no seals, there is no state. The lock is made only for what was a log.
        return (try? FileStatus(path: LogFileNames.companion(of: path, "lock")))?.isRegularFile
            ?? false
    }

    /// - Parameter beginning: of a file, at least its first 40 bytes if it has so many.
    static func isLog(_ beginning: Span<UInt8>) -> Bool {
        forms.contains { form in
            for index in 0..<min(beginning.count, form.count) {
                let byte = beginning[index]
                // A line that was torn, and closed by the next start.
                if byte == UInt8(ascii: "\n") { return index > 0 }
                let isDigit = byte &- UInt8(ascii: "0") < 10
                guard form[index] == UInt8(ascii: "0") ? isDigit : byte == form[index] else {
                    return false
                }
            }
            return true
        }
    }

    /// The format of a file's first line; nil for what is no whole beginning of a line.
    static func format(_ line: Span<UInt8>) -> LogFormat? {
        guard let first = line.count > 0 ? line[0] : nil else { return nil }
        let format = LogFormat(lineBeginningWith: first)
        let form = forms[format == .text ? 0 : format == .json ? 1 : 2]
        return line.count >= form.count && isLog(line.extracting(0..<form.count)) ? format : nil
    }

    /// A zero is any digit.
    private static let forms = [
        "0000-00-00T00:00:00.000Z | ", "{\"time\":\"0000-00-00T00:00:00.000Z\",\"level\":",
        "time=0000-00-00T00:00:00.000Z level=",
    ].map { Array($0.utf8) }
}
