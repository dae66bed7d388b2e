import Glibc
import POSIX
import Time

/// What a new process finds of a log: where its chain of seals has come to, what stands behind the last
/// seal, and whether anything is missing.
///
/// The state file says how far the chain had come when it was last put on the disk; the file itself may
/// go further, and is read from there. A seal of our key counts if its code is right, and is otherwise
/// just the end of a segment; one of another key cannot be told, and is taken at its word, because the
/// operator may have changed the key: whoever verifies the log is told.
///
/// The same two say whether a server wrote the file. It did if the file holds the state's seal at
/// the state's place, or any right seal of our key, or is the same inode. Lines after the last seal
/// of a process that was killed remain, and are sealed as found. Without a state nothing can be
/// said.
struct LogRecoveryScan {
    /// What no server wrote.
    enum Foreign: Equatable {
        case file
        /// Everything from this byte on: the seal before it is that of a stop.
        case end(from: Int)
    }

    /// Continues behind everything that is in the file; nil where the log is not sealed.
    private(set) var chain: SealChain?
    /// Bytes in the file.
    private(set) var size = 0
    private(set) var generation = 0
    /// The file ends inside a line.
    private(set) var isTorn = false
    /// That line is a right seal, and only its end is missing.
    private(set) var endsInSeal = false
    /// The first line's date, as it is written.
    private(set) var date: [UInt8] = []
    /// That of the first line; nil if that is none of a log.
    private(set) var format: LogFormat?
    /// Nil if a server wrote all of it, as far as one can tell.
    private(set) var foreign: Foreign?
    /// There was a file, and now there is none.
    private(set) var isMissing = false
    /// The file ends before the state: somebody has cut it.
    private(set) var isMissingTail = false

    init(
        _ path: String, _ state: LogState?, _ key: SealKey?, _ fileSystem: any FileSystem
    ) throws(Errno) {
        let first = try Self.firstLine(of: path)
        date = first.date
        size = first.status.size
        format = LogFileSignature.format(first.line.span)
        let named = Self.number(in: first.line, path)
        generation = max(named, state?.generation ?? 0)
        let numbers = try fileSystem.names(in: LogFileNames.folder(of: path)).compactMap { name in
            LogFileNames.number(of: name, path, highest: generation)
        }
        generation = max(generation, numbers.max() ?? 0)
        guard let key else {
            isTorn = try Self.scan(path, nil, nil, from: 0, isOnlyEnd: true).isTorn
            return
        }
        var found: Scan
        if let state, try Self.holds(state, path) {
            // A server with another key would have emptied the state.
            found = try Self.scan(
                path, key, SealChain(after: state.head), from: state.size, believesOthers: false)
            if state.isFinal, found.size > state.size, found.rightSealCount == 0 {
                foreign = .end(from: state.size)
            }
        } else {
            // A state whose seal is in an earlier file is about this one if no rotation came after
            // it.
            let head = state.flatMap { state in
                state.size == 0 && state.generation == generation ? state.head : nil
            }
            found = try Self.scan(path, key, SealChain(after: head ?? .none), from: 0)
            if let state, size > 0, found.rightSealCount == 0 {
                let isRotated =
                    named > state.generation || named == state.generation && state.size == 0
                    || first.isTorn && generation > state.generation
                let isSame = state.inode == nil || state.inode == first.status.inode
                if state.isFinal || !isRotated && !isSame { foreign = .file }
            }
        }
        if found.head == .none, let newest = Self.newestSealed(numbers, path) {
            let full = try Self.scan(
                LogFileNames.path(of: path, newest), key, SealChain(), from: 0)
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

    /// Whether the file's first line is of this day.
    func isOf(_ now: Timestamp) -> Bool {
        let today = now.rfc3339
        return size == 0 || date.count == 10 && date.indices.allSatisfy { date[$0] == today[$0] }
    }

    /// What is in our file after another process has made it shorter.
    static func found(
        _ path: String, after chain: SealChain?
    ) throws(Errno) -> (chain: SealChain?, size: Int, isTorn: Bool) {
        let scan = try scan(path, nil, chain, from: 0)
        return (scan.chain, scan.size, scan.isTorn)
    }

    /// The last line of a file, if it is a seal.
    /// - Parameter end: the file's end for this purpose; nil for the real one.
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

    /// Whether the line that ends where the state says is the seal that the state has.
    private static func holds(_ state: LogState, _ path: String) throws(Errno) -> Bool {
        guard state.size > 0 else { return false }
        return try lastSeal(in: path, upTo: state.size)?.head == state.head
    }

    /// The newest full file that ends in a seal; those after it are of a time without seals.
    private static func newestSealed(_ numbers: [Int], _ path: String) -> Int? {
        let newestFirst = numbers.sorted(by: >)
        return newestFirst.first { number in
            (try? lastSeal(in: LogFileNames.path(of: path, number))) != nil
        } ?? newestFirst.first
    }

    // MARK: Reading

    private struct Scan {
        var chain: SealChain?
        var size: Int
        var isTorn: Bool
        var endsInSeal = false
        /// Seals of our key whose code is right.
        var rightSealCount = 0
        var head: SealHead { chain?.head ?? .none }
    }

    /// Longer lines are none of ours, and need not be looked at.
    private static let longestLine = 16 * 1024

    /// Reads the file from `offset` to its end, and takes every line into the chain.
    /// - Parameters:
    ///   - key: nil to take no seal's word for how far the chain has come.
    ///   - believesOthers: whether seals of other keys are taken at their word.
    ///   - isOnlyEnd: look at the last byte and at nothing else.
    private static func scan(
        _ path: String, _ key: SealKey?, _ start: SealChain?, from offset: Int,
        believesOthers: Bool = true, isOnlyEnd: Bool = false
    ) throws(Errno) -> Scan {
        let file = try SystemFileSystem().open(path, O_RDONLY, mode: 0)
        var position = isOnlyEnd ? max(0, try file.status().size - 1) : offset
        var scan = Scan(chain: start, size: 0, isTorn: false)
        var buffer = [UInt8](repeating: 0, count: 128 * 1024)
        /// Bytes of a line whose end has not been read.
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
                if scan.chain?.take(line, key, believesOthers: believesOthers) ?? false {
                    scan.rightSealCount += 1
                }
                lineStart = lineEnd + 1
            }
            kept = end - lineStart
            if count == 0 || kept > longestLine {
                let rest = buffer[lineStart..<end]
                if count == 0, let key, SealLine(rest.span) != nil, !scan.isTorn {
                    let line = Array(rest) + [UInt8(ascii: "\n")]
                    var chain = scan.chain
                    if chain?.take(line.span, key, believesOthers: false) ?? false {
                        scan.chain = chain
                        scan.rightSealCount += 1
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
        // Behind what stands before it in the three formats.
        let start = line.first == UInt8(ascii: "{") ? 9 : line.first == UInt8(ascii: "t") ? 5 : 0
        return (
            Array(line), Array(line.dropFirst(start).prefix(10)), line.count == count,
            try file.status()
        )
    }

    /// The number of the full file that a first line names; 0 if it names none. Full files that were
    /// collected and taken away leave no other trace of their numbers.
    private static func number(in line: [UInt8], _ path: String) -> Int {
        for format in LogFormat.allCases {
            // Behind the time. A stranger's text that looks like it stands further on.
            let line = line.dropFirst(TimestampPrefix(format).text.count)
            let start = lineUpToNumber(path, format)
            guard line.starts(with: start) else { continue }
            let digits = line.dropFirst(start.count).prefix { $0 &- UInt8(ascii: "0") < 10 }
            // In quotation marks or not, nothing else follows a name.
            guard let next = line[digits.endIndex...].first, next == 0x20 || next == 0x22 else {
                continue
            }
            let name = LogFileNames.base(of: path) + "." + String(decoding: digits, as: UTF8.self)
            return LogFileNames.number(of: name, path, highest: .max) ?? 0
        }
        return 0
    }

    /// What stands before the number in the first line of a new file, without the time.
    private static func lineUpToNumber(_ path: String, _ format: LogFormat) -> [UInt8] {
        let event = LogRotated(file: LogFileNames.base(of: path) + ".", reason: "size")
        let line = LogLine.whole(event, at: Timestamp(seconds: 0), format)
            .dropFirst(TimestampPrefix(format).text.count)
        // Nothing behind the name has a dot.
        return Array(line[...(line.lastIndex(of: UInt8(ascii: ".")) ?? line.startIndex)])
    }
}

extension SealChain {
    /// No log gets there, with a seal a second: whoever plants such a number must not use up ours.
    private static let highestForeign: UInt64 = 1_000_000_000_000

    /// Takes in the next line, its end included; behind a seal a new segment begins.
    /// - Parameters:
    ///   - key: nil to take no seal's word for how far the chain has come; it ends a segment all
    ///     the same, because to a verifier it does.
    ///   - believesOthers: whether a seal of another key is taken at its word.
    /// - Returns: whether it is a right seal of this key.
    fileprivate mutating func take(
        _ line: Span<UInt8>, _ key: SealKey?, believesOthers: Bool
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
        let isRight =
            seal.keyID == key.id
            && code(key, after: seal.previous, seal.sequence, closing: coded) == seal.code
        let isBelieved =
            isRight
            || believesOthers && seal.keyID != key.id && seal.sequence < Self.highestForeign
        // Never backwards: a file that was put back must not make numbers come twice.
        advance(to: isBelieved && seal.sequence > head.sequence ? seal.head : head)
        return isRight
    }
}
