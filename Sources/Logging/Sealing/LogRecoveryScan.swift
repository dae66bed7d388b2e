import Glibc
import POSIX
import Time

/// What a new process finds of a log: the end of its chain of seals, the bytes after the last seal,
/// and whether anything is missing.
///
/// The state file has the chain's head at the last sync. The log file may extend beyond it, and is
/// read from there. A seal of the current key counts if its code is correct; otherwise it only ends
/// a segment. A seal of another key cannot be checked. It is trusted, because the operator may have
/// changed the key; a verification reports it.
///
/// State and log also decide whether a server wrote the file. It did if the file has the state's
/// seal at the state's offset, or any correct seal of the current key, or the state's inode. Lines
/// after the last seal of a process that was killed remain, and are sealed as found. Without a
/// state the file is accepted.
struct LogRecoveryScan {
    /// What no server wrote.
    enum Foreign: Equatable {
        /// The complete file.
        case file
        /// Everything from this offset on: the seal before it is the seal of a stop.
        case end(from: Int)
    }

    /// Continues after everything that is in the file; nil if the log is not sealed.
    private(set) var chain: SealChain?
    /// Bytes in the file.
    private(set) var size = 0
    /// The highest archive number that the log has assigned.
    private(set) var lastArchiveNumber = 0
    /// The file ends inside a line.
    private(set) var isTorn = false
    /// That line is a correct seal that lacks only its line end.
    private(set) var endsInSeal = false
    /// The date of the first line, as written.
    private(set) var date: [UInt8] = []
    /// The format of the first line; nil if it is not a line of a log.
    private(set) var format: LogFormat?
    /// Nil if nothing shows that another program wrote to the file.
    private(set) var foreign: Foreign?
    /// The state names a file, and there is none.
    private(set) var isMissing = false
    /// The file ends before the state's offset: another process has truncated it.
    private(set) var isMissingTail = false

    /// - Throws: Why the file or its folder cannot be read.
    init(
        _ path: String, _ state: LogState?, _ key: SealKey?, _ fileSystem: any FileSystem
    ) throws(Errno) {
        let first = try Self.firstLine(of: path)
        date = first.date
        size = first.status.size
        format = LogFileSignature.format(first.line.span)
        let named = Self.number(in: first.line, path)
        lastArchiveNumber = max(named, state?.lastArchiveNumber ?? 0)
        let numbers = try fileSystem.names(in: LogFileNames.folder(of: path)).compactMap { name in
            LogFileNames.number(of: name, path, highest: lastArchiveNumber)
        }
        lastArchiveNumber = max(lastArchiveNumber, numbers.max() ?? 0)
        guard let key else {
            isTorn = try Self.scan(path, nil, nil, from: 0, isOnlyEnd: true).isTorn
            return
        }
        var found: Scan
        if let state, try Self.holds(state, path) {
            // A server with another key would have cleared the state.
            found = try Self.scan(
                path, key, SealChain(after: state.head), from: state.size, trustsOtherKeys: false)
            if state.isFinal, found.size > state.size, found.validSealCount == 0 {
                foreign = .end(from: state.size)
            }
        } else {
            // A state whose seal is in an earlier file belongs to this file if no rotation followed
            // it.
            let head = state.flatMap { state in
                state.size == 0 && state.lastArchiveNumber == lastArchiveNumber ? state.head : nil
            }
            found = try Self.scan(path, key, SealChain(after: head ?? .none), from: 0)
            if let state, size > 0, found.validSealCount == 0 {
                let isRotated =
                    named > state.lastArchiveNumber
                    || named == state.lastArchiveNumber && state.size == 0
                    || first.isTorn && lastArchiveNumber > state.lastArchiveNumber
                let isSame = state.inode == nil || state.inode == first.status.inode
                if state.isFinal || !isRotated && !isSame { foreign = .file }
            }
        }
        if found.head == .none, let newest = Self.newestSealed(numbers, path) {
            let full = try Self.scan(
                LogFileNames.archivePath(of: path, newest), key, SealChain(), from: 0)
            found.chain?.continue(after: full.head)
        }
        if let state, state.head.sequence > found.head.sequence {
            isMissing = size == 0 && state.size > 0
            isMissingTail = size > 0
            found.chain?.continue(after: state.head)
        }
        chain = found.chain
        isTorn = found.isTorn
        endsInSeal = found.endsInSeal
    }

    /// Whether the file's first line is from this day. True for an empty file.
    func isOf(_ now: Timestamp) -> Bool {
        let today = now.rfc3339
        return size == 0 || date.count == 10 && date.indices.allSatisfy { date[$0] == today[$0] }
    }

    /// Reads our file again after another process has truncated it.
    static func found(
        _ path: String, after chain: SealChain?
    ) throws(Errno) -> (chain: SealChain?, size: Int, isTorn: Bool) {
        let scan = try scan(path, nil, chain, from: 0)
        return (scan.chain, scan.size, scan.isTorn)
    }

    /// The last line of a file if it is a seal; nil otherwise.
    /// - Parameter end: The offset to use as the end of the file; nil for the actual end.
    static func lastSeal(in path: String, upTo end: Int? = nil) throws(Errno) -> SealLine? {
        let file = try SystemFileSystem().open(path, O_RDONLY, mode: 0)
        let size = try file.status().size
        let end = end ?? size
        guard end <= size else { return nil }
        var bytes = [UInt8](repeating: 0, count: min(end, 1024))
        var span = bytes.mutableSpan
        let count = try file.read(into: &span, at: max(0, end - 1024))
        guard count > 0, bytes[count - 1] == UInt8(ascii: "\n") else { return nil }
        let start = bytes[..<(count - 1)].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return SealLine(bytes.span.extracting(start..<(count - 1)))
    }

    /// Whether the line that ends at the state's offset is the state's seal.
    private static func holds(_ state: LogState, _ path: String) throws(Errno) -> Bool {
        guard state.size > 0 else { return false }
        return try lastSeal(in: path, upTo: state.size)?.head == state.head
    }

    /// The number of the newest archive that ends in a seal; later archives were written without
    /// seals. If none does, the newest.
    private static func newestSealed(_ numbers: [Int], _ path: String) -> Int? {
        let newestFirst = numbers.sorted(by: >)
        return newestFirst.first { number in
            (try? lastSeal(in: LogFileNames.archivePath(of: path, number))) != nil
        } ?? newestFirst.first
    }

    // MARK: Reading

    private struct Scan {
        var chain: SealChain?
        var size: Int
        var isTorn: Bool
        var endsInSeal = false
        /// Seals of the current key whose code is correct.
        var validSealCount = 0
        var head: SealHead { chain?.head ?? .none }
    }

    /// Longer lines are not ours, and are not searched for seals.
    private static let longestLine = 16 * 1024

    /// Reads the file from `offset` to its end, and adds every line to the chain.
    /// - Parameters:
    ///   - key: The current key; nil to accept no seal as the head of the chain.
    ///   - believesOthers: Whether to trust seals of other keys.
    ///   - isOnlyEnd: Read only the last byte.
    private static func scan(
        _ path: String, _ key: SealKey?, _ start: SealChain?, from offset: Int,
        trustsOtherKeys: Bool = true, isOnlyEnd: Bool = false
    ) throws(Errno) -> Scan {
        let file = try SystemFileSystem().open(path, O_RDONLY, mode: 0)
        var position = isOnlyEnd ? max(0, try file.status().size - 1) : offset
        var scan = Scan(chain: start, size: 0, isTorn: false)
        var buffer = [UInt8](repeating: 0, count: 128 * 1024)
        /// Bytes of a line whose end has not been read yet.
        var kept = 0
        while true {
            var space = buffer.mutableSpan
            var span = space._mutatingExtracting(kept..<space.count)
            let count = try file.read(into: &span, at: position)
            position += count
            let end = kept + count
            var lineStart = 0
            while let lineEnd = buffer[lineStart..<end].firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer.span.extracting(lineStart..<(lineEnd + 1))
                if scan.chain?.take(line, key, trustsOtherKeys: trustsOtherKeys) ?? false {
                    scan.validSealCount += 1
                }
                lineStart = lineEnd + 1
            }
            kept = end - lineStart
            if count == 0 || kept > longestLine {
                let rest = buffer[lineStart..<end]
                if count == 0, let key, SealLine(rest.span) != nil, !scan.isTorn {
                    let line = Array(rest) + [UInt8(ascii: "\n")]
                    var chain = scan.chain
                    if chain?.take(line.span, key, trustsOtherKeys: false) ?? false {
                        scan.chain = chain
                        scan.validSealCount += 1
                        (scan.endsInSeal, scan.isTorn, scan.size) = (true, true, position)
                        return scan
                    }
                }
                scan.chain?.update(buffer.span.extracting(lineStart..<end))
                if count == 0 {
                    scan.size = position
                    scan.isTorn = position > 0 && (kept > 0 || scan.isTorn)
                    return scan
                }
                scan.isTorn = true
                kept = 0
            } else {
                if lineStart > 0 { scan.isTorn = false }
                buffer.replaceSubrange(0..<kept, with: Array(buffer[lineStart..<end]))
            }
        }
    }

    private static func firstLine(
        of path: String
    ) throws(Errno) -> (line: [UInt8], date: [UInt8], isTorn: Bool, status: FileStatus) {
        let file = try SystemFileSystem().open(path, O_RDONLY, mode: 0)
        var bytes = [UInt8](repeating: 0, count: 512)
        var span = bytes.mutableSpan
        let count = try file.read(into: &span)
        let line = bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }
        // Skip what precedes the date in the three formats.
        let start = line.first == UInt8(ascii: "{") ? 9 : line.first == UInt8(ascii: "t") ? 5 : 0
        return (
            Array(line), Array(line.dropFirst(start).prefix(10)), line.count == count,
            try file.status()
        )
    }

    /// The archive number that a `log_rotate` line names; 0 if the line names none. If archives
    /// were moved elsewhere, no other trace of their numbers is left.
    private static func number(in line: [UInt8], _ path: String) -> Int {
        for format in LogFormat.allCases {
            // Compare right after the time: untrusted text that looks the same can only come later.
            let line = line.dropFirst(TimestampPrefix(format).text.count)
            let start = lineUpToNumber(path, format)
            guard line.starts(with: start) else { continue }
            let digits = line.dropFirst(start.count).prefix { $0 &- UInt8(ascii: "0") < 10 }
            // The name is followed by a quotation mark or a space in every format.
            guard let next = line[digits.endIndex...].first, next == 0x20 || next == 0x22 else {
                continue
            }
            let name = LogFileNames.base(of: path) + "." + String(decoding: digits, as: UTF8.self)
            return LogFileNames.number(of: name, path, highest: .max) ?? 0
        }
        return 0
    }

    /// The text before the number in the first line of a new file, without the time.
    private static func lineUpToNumber(_ path: String, _ format: LogFormat) -> [UInt8] {
        let event = LogRotated(file: LogFileNames.base(of: path) + ".", reason: "size")
        let line = LogLine.formatted(event, at: Timestamp(seconds: 0), format)
            .dropFirst(TimestampPrefix(format).text.count)
        // There is no dot after the name.
        return Array(line[...(line.lastIndex(of: UInt8(ascii: ".")) ?? line.startIndex)])
    }
}

extension SealChain {
    /// Above what a log reaches with one seal a second. A forged seal with such a number must not
    /// exhaust the sequence numbers.
    private static let highestForeign: UInt64 = 1_000_000_000_000

    /// Adds the next line, with its line end; a seal starts a new segment.
    /// - Parameters:
    ///   - key: The current key; nil to accept no seal as the head of the chain. The seal still
    ///     ends a segment, as it does for a verifier.
    ///   - trustsOtherKeys: Whether to trust a seal of another key.
    /// - Returns: Whether the line is a correct seal of the current key.
    fileprivate mutating func take(
        _ line: Span<UInt8>, _ key: SealKey?, trustsOtherKeys: Bool
    ) -> Bool {
        let text = line.extracting(0..<(line.count - 1))
        guard let seal = SealLine(text) else {
            update(line)
            return false
        }
        guard let key else {
            advance(to: head)
            return false
        }
        let coded = text.extracting(0..<seal.codedCount)
        let isValid =
            seal.keyID == key.id
            && code(key, after: seal.previous, seal.sequence, closing: coded) == seal.code
        let isTrusted =
            isValid
            || trustsOtherKeys && seal.keyID != key.id && seal.sequence < Self.highestForeign
        // Never backwards: restoring an older file must not make sequence numbers repeat.
        advance(to: isTrusted && seal.sequence > head.sequence ? seal.head : head)
        return isValid
    }
}
