/// The names of a log's files: `app.log` is the current file; `app.log.000001` and so on are the
/// archives, the full files; `app.log.foreign.1` and so on are files that no server wrote. Hidden
/// files beside them are `.app.log.state` and `.app.log.lock`.
package enum LogFileNames {
    /// Digits of an archive number, zero-padded. A number with more digits is an archive number
    /// only if the log has reached it; otherwise it is taken to be a date that another program
    /// appended.
    private static let digitCount = 6

    /// The path of the archive with this number.
    package static func archivePath(of log: String, _ number: Int) -> String {
        let digits = String(number)
        return log + "." + String(repeating: "0", count: max(0, digitCount - digits.count)) + digits
    }

    /// The archive number in a file name; nil if `path(of:_:)` does not produce this name.
    /// - Parameter highest: The highest number that the log is known to have assigned.
    package static func number(
        of name: some StringProtocol, _ log: String, highest: Int
    ) -> Int? {
        let prefix = base(of: log) + "."
        guard name.hasPrefix(prefix) else { return nil }
        let digits = name.utf8.dropFirst(prefix.utf8.count)
        // Eighteen digits always fit into 64 bits.
        guard digitCount...18 ~= digits.count,
            digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
            digits.count == digitCount || digits.first != UInt8(ascii: "0")
        else { return nil }
        let number = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        return number > 0 && (digits.count == digitCount || number <= highest) ? number : nil
    }

    /// The path of a file that is moved aside because no server wrote it.
    static func foreignPath(of log: String, _ number: Int) -> String { "\(log).foreign.\(number)" }

    /// The number in the name of a file that was moved aside; nil for any other name.
    package static func foreignNumber(of name: some StringProtocol, _ log: String) -> Int? {
        let prefix = base(of: log) + ".foreign."
        guard name.hasPrefix(prefix) else { return nil }
        let digits = name.utf8.dropFirst(prefix.utf8.count)
        guard 1...18 ~= digits.count, digits.first != UInt8(ascii: "0"),
            digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 })
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// The path of a hidden file beside the log: `logs/app.log` and `state` make
    /// `logs/.app.log.state`.
    package static func companion(of log: String, _ kind: String) -> String {
        "\(folder(of: log))/.\(base(of: log)).\(kind)"
    }

    /// The folder of a path; `.` for a bare name.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The last component of a path.
    package static func base(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }
}
