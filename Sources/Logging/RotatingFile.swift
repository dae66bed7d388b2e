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
    /// Why the last rotation failed, until one succeeds.
    private(set) var rotationFailure: Errno?
    /// The first line of a new file, until it is written.
    private var header: [UInt8] = []
    /// The bytes of that line once it is; a file with nothing else is not full.
    private var headerSize = 0

    /// Opens the file, making it and its folder if they are not there.
    init(_ options: Options, _ fileSystem: any FileSystem) throws(Errno) {
        let opened = try Self.openWithFolder(options.path, fileSystem)
        let end = try Self.end(of: opened, options)
        let number = end.size > 0 ? try Self.numberInFirstLine(of: options.path) : 0
        file = opened
        size = end.size
        endsInsideLine = end.isInsideLine
        rotationSize = end.rotationSize
        generation = number
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
        if let error = closeTornLine() { return Outcome(written: 0, error: error) }
        while written < lines.count {
            let rest = lines.extracting(written..<lines.count)
            let first = Self.firstLine(rest)
            if size > headerSize, first > rotationSize - size { rotate(announcing: announce) }
            let room = rotationSize - size - header.count
            let length = max(first, Self.wholeLines(rest, within: room))
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
        headerSize = 0
        endsInsideLine = end.isInsideLine
        rotationSize = end.rotationSize
    }

    /// Asks the kernel to put what is written on the disk.
    func synchronize() throws(Errno) {
        let number = file.number
        _ = try retryingOnInterrupt { fdatasync(number) }
    }

    // MARK: Writing

    private mutating func closeTornLine() -> Errno? {
        guard endsInsideLine else { return nil }
        let (count, error) = writeAll([UInt8(ascii: "\n")].span)
        size += count
        endsInsideLine = error != nil
        return error
    }

    /// Writes all of `chunk`, which is whole lines, or leaves none of the line that did not fit.
    private mutating func write(_ chunk: Span<UInt8>, _ written: inout Int) -> Errno? {
        if !header.isEmpty {
            let (count, error) = writeAll(header.span)
            takeBack(error == nil ? 0 : count, after: error == nil ? count : 0)
            if let error { return error }
            headerSize = count
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
            // Not `size`: somebody may have emptied the file, and must not get it back as zeros.
            try fileSystem.truncate(file, to: max(0, try file.status().size - torn))
        } catch {
            size += torn
            endsInsideLine = true
        }
    }

    // MARK: Rotation

    private mutating func rotate(announcing announce: (String) -> [UInt8]) {
        let numbers: [Int]
        let number: Int
        let isMoved: Bool
        do throws(Errno) {
            // Whatever has come into the folder meanwhile, no file is written over.
            numbers = try Self.numbers(options.path, fileSystem)
            number = max(generation, numbers.max() ?? 0) + 1
            isMoved = try moveAway(to: Self.path(options.path, number))
            file = try openInPlace(ofFullFile: Self.path(options.path, number))
        } catch {
            // Stay with the old file, and try again a little later.
            rotationFailure = error
            rotationSize = size + max(options.maximumSize / 8, 4096)
            return
        }
        size = 0
        headerSize = 0
        rotationSize = options.maximumSize
        rotationFailure = nil
        guard isMoved else { return }
        generation = number
        header = announce(Self.name(of: Self.path(options.path, number)))
        removeOldest(numbers + [number])
    }

    /// False if there is nothing to move: somebody has taken the file away without a word.
    private func moveAway(to fullPath: String) throws(Errno) -> Bool {
        do throws(Errno) {
            try fileSystem.rename(options.path, to: fullPath)
            return true
        } catch {
            guard error == .isNotThere else { throw error }
            return false
        }
    }

    private func openInPlace(ofFullFile fullPath: String) throws(Errno) -> FileDescriptor {
        do throws(Errno) {
            return try Self.open(options.path, fileSystem, O_EXCL)
        } catch {
            // The old file is still open under its new name; it gets the old one back, unless
            // somebody has put another file there.
            if error != .exists { try? fileSystem.rename(fullPath, to: options.path) }
            throw error
        }
    }

    private func removeOldest(_ numbers: [Int]) {
        for number in numbers.sorted().dropLast(options.keep) {
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
    private static func numbers(
        _ path: String, _ fileSystem: any FileSystem
    ) throws(Errno) -> [Int] {
        try fileSystem.names(in: folder(of: path)).compactMap { number(of: $0, path) }
    }

    /// The number of a full file by its name; nil if the name is none that `path(_:_:)` gives.
    private static func number(of name: some StringProtocol, _ path: String) -> Int? {
        let prefix = Self.name(of: path) + "."
        guard name.hasPrefix(prefix) else { return nil }
        let digits = name.utf8.dropFirst(prefix.utf8.count)
        // Eighteen digits always fit into 64 bits.
        guard 6...18 ~= digits.count, digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
            digits.count == 6 || digits.first != UInt8(ascii: "0")
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// The number of the full file that the first line of this one names; 0 if it names none. Full
    /// files that were collected and taken away leave no other trace of their numbers.
    private static func numberInFirstLine(of path: String) throws(Errno) -> Int {
        let file = try FileDescriptor.open(path, O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: 512)
        var span = bytes.mutableSpan
        let count = try file.read(into: &span)
        let line = bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }
        // Behind the time. A stranger's text that looks like it stands further on.
        let words = String(decoding: line, as: UTF8.self).dropFirst(27)
        let start = "INFO | log | log_rotate file="
        guard words.hasPrefix(start) else { return 0 }
        return number(of: words.dropFirst(start.count).prefix { $0 != " " }, path) ?? 0
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
