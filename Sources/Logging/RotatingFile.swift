import Glibc
import POSIX

/// The log file: appends whole lines, and starts a new file between two of them when the next would
/// not fit.
///
/// `app.log` is the file that is written; full ones become `app.log.000001`, `app.log.000002`, …:
/// numbers that sort, and are never used again, so that no collector mistakes one for another. The
/// `keep` newest full ones stay. A new file is opened before the old one is let go; if that fails,
/// the old one goes on past its size, because a long file is better than a lost line.
///
/// A write that fails half-way leaves no half line: the file is cut back to the last whole one, and
/// if even that fails, the next write begins with a line end. Owned by whoever holds the logger's
/// write turn; not for two processes.
struct RotatingFile: ~Copyable {
    struct Options: Sendable {
        var path: String
        /// Bytes; a line that is longer gets a file of its own.
        var maximumSize: Int
        /// Full files that stay.
        var keep: Int
    }

    /// What became of a batch.
    struct Outcome {
        /// Bytes of whole lines that are in the file.
        var written: Int
        /// Why the rest is not.
        var error: Errno?
    }

    private let options: Options
    private let fileSystem: any FileSystem
    private var file: FileDescriptor
    private var size: Int
    /// The number that the last full file got.
    private(set) var generation: Int
    /// The file ends inside a line that could not be taken back.
    private(set) var endsInsideLine: Bool
    /// After a rotation that failed, the size at which the next is tried.
    private var rotationSize: Int
    private(set) var failedRotations = 0
    /// The first line of a new file, until it is written.
    private var header: [UInt8] = []

    /// Opens the file, making it and its folder if they are not there.
    init(_ options: Options, _ fileSystem: any FileSystem) throws(Errno) {
        let opened = try Self.openWithFolder(options.path, fileSystem)
        let end = try Self.end(of: opened, options)
        file = opened
        size = end.size
        endsInsideLine = end.isInsideLine
        rotationSize = end.rotationSize
        generation = Self.numbers(options.path, fileSystem).max() ?? 0
        self.options = options
        self.fileSystem = fileSystem
    }

    /// Where a file that was just opened ends, and when to rotate it.
    private static func end(
        of file: borrowing FileDescriptor, _ options: Options
    ) throws(Errno) -> (size: Int, isInsideLine: Bool, rotationSize: Int) {
        let status = try file.status()
        // A pipe or a device has no size, and must not be renamed away.
        guard status.isRegularFile else { return (0, false, .max) }
        let isInsideLine =
            status.size > 0 ? try lastByte(options.path, status.size) != 0x0A : false
        return (status.size, isInsideLine, options.maximumSize)
    }

    /// Appends lines, each with its line end; `announce` makes the line that a new file begins with.
    mutating func append(
        _ lines: Span<UInt8>, announcing announce: (_ fullFile: String) -> [UInt8]
    ) -> Outcome {
        var written = 0
        while written < lines.count {
            let rest = lines.extracting(written..<lines.count)
            let first = Self.firstLine(rest)
            if size > 0, first > rotationSize - size { rotate(announcing: announce) }
            let length = max(first, Self.wholeLines(rest, within: rotationSize - size))
            if let error = write(rest.extracting(0..<length), &written) {
                return Outcome(written: written, error: error)
            }
        }
        return Outcome(written: written)
    }

    /// Opens the path again, after somebody else moved the file away; the old file stays in use if
    /// that fails.
    mutating func reopen() throws(Errno) {
        let new = try Self.open(options.path, fileSystem)
        let end = try Self.end(of: new, options)
        file = new
        size = end.size
        endsInsideLine = end.isInsideLine
        rotationSize = end.rotationSize
    }

    /// Asks the kernel to put what is written on the disk.
    func synchronize() throws(Errno) {
        let number = file.number
        _ = try retryingOnInterrupt { fdatasync(number) }
    }

    // MARK: Writing

    /// Writes all of `chunk`, which is whole lines, or leaves none of the line that did not fit.
    private mutating func write(_ chunk: Span<UInt8>, _ written: inout Int) -> Errno? {
        if endsInsideLine {
            let (count, error) = writeAll([UInt8(ascii: "\n")].span)
            size += count
            if let error { return error }
            endsInsideLine = false
        }
        if !header.isEmpty {
            let (count, error) = writeAll(header.span)
            takeBack(error == nil ? 0 : count, after: error == nil ? count : 0)
            if let error { return error }
            header = []
        }
        let (count, error) = writeAll(chunk)
        let whole = Self.wholeLines(chunk, within: count)
        takeBack(count - whole, after: whole)
        written += whole
        return error
    }

    private func writeAll(_ bytes: Span<UInt8>) -> (count: Int, error: Errno?) {
        var count = 0
        do throws(Errno) {
            while count < bytes.count {
                count += try fileSystem.write(bytes.extracting(count..<bytes.count), to: file)
            }
        } catch {
            return (count, error)
        }
        return (count, nil)
    }

    /// Cuts `torn` bytes off the end, which is `whole` bytes behind where the file ended before.
    private mutating func takeBack(_ torn: Int, after whole: Int) {
        size += whole
        guard torn > 0 else { return }
        do throws(Errno) {
            try fileSystem.truncate(file, to: size)
        } catch {
            size += torn
            endsInsideLine = true
        }
    }

    // MARK: Rotation

    private mutating func rotate(announcing announce: (String) -> [UInt8]) {
        let fullPath = Self.path(options.path, generation + 1)
        do throws(Errno) {
            try fileSystem.rename(options.path, to: fullPath)
            do throws(Errno) {
                file = try Self.open(options.path, fileSystem, O_EXCL)
            } catch {
                // The old file is still open under its new name; it gets the old one back.
                try? fileSystem.rename(fullPath, to: options.path)
                throw error
            }
        } catch {
            // Stay with the old file, and try again a little later.
            failedRotations += 1
            rotationSize = size + max(options.maximumSize / 8, 4096)
            return
        }
        generation += 1
        size = 0
        rotationSize = options.maximumSize
        endsInsideLine = false
        header = announce(Self.name(of: fullPath))
        removeOldest()
    }

    private func removeOldest() {
        let numbers = Self.numbers(options.path, fileSystem).sorted()
        for number in numbers.dropLast(options.keep) {
            // A file that cannot be removed now is tried again at the next rotation.
            try? fileSystem.remove(Self.path(options.path, number))
        }
    }

    // MARK: Paths

    private static func open(
        _ path: String, _ fileSystem: any FileSystem, _ exclusive: CInt = 0
    ) throws(Errno) -> FileDescriptor {
        try fileSystem.open(
            path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | exclusive, mode: 0o640)
    }

    private static func openWithFolder(
        _ path: String, _ fileSystem: any FileSystem
    ) throws(Errno) -> FileDescriptor {
        do throws(Errno) {
            return try open(path, fileSystem)
        } catch {
            guard error == .isNotThere else { throw error }
            try fileSystem.createFolder(folder(of: path), mode: 0o750)
            return try open(path, fileSystem)
        }
    }

    private static func lastByte(_ path: String, _ size: Int) throws(Errno) -> UInt8? {
        let file = try FileDescriptor.open(path, O_RDONLY)
        let number = file.number
        var byte: UInt8 = 0
        let count = try retryingOnInterrupt { unsafe pread(number, &byte, 1, size - 1) }
        return count == 1 ? byte : nil
    }

    private static func path(_ path: String, _ number: Int) -> String {
        let digits = String(number)
        return path + "." + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    /// The numbers of the full files that are there.
    private static func numbers(_ path: String, _ fileSystem: any FileSystem) -> [Int] {
        let prefix = name(of: path) + "."
        let names = (try? fileSystem.names(in: folder(of: path))) ?? []
        return names.compactMap { name in
            guard name.hasPrefix(prefix) else { return nil }
            let digits = name.utf8.dropFirst(prefix.utf8.count)
            guard digits.count >= 6, digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else {
                return nil
            }
            return Int(String(Substring(digits)))
        }
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func name(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }

    // MARK: Lines

    /// The bytes of the whole lines among the first `room` bytes.
    private static func wholeLines(_ lines: Span<UInt8>, within room: Int) -> Int {
        if room >= lines.count { return lines.count }
        var end = max(room, 0)
        while end > 0, lines[end - 1] != UInt8(ascii: "\n") { end -= 1 }
        return end
    }

    private static func firstLine(_ lines: Span<UInt8>) -> Int {
        for index in lines.indices where lines[index] == UInt8(ascii: "\n") { return index + 1 }
        return lines.count
    }
}
