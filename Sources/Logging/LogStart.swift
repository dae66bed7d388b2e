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
struct LogStart {
    /// Continues behind everything that is in the file; nil where the log is not sealed.
    private(set) var chain: SealChain?
    /// Bytes in the file.
    private(set) var size = 0
    private(set) var generation = 0
    /// The file ends inside a line.
    private(set) var isTorn = false
    /// The first line's date, as it is written.
    private(set) var date: [UInt8] = []
    /// There was a file, and now there is none.
    private(set) var isMissing = false
    /// The file ends before the state: somebody has cut it.
    private(set) var isMissingTail = false

    init(head: SealHead, isSealed: Bool) { chain = isSealed ? SealChain(after: head) : nil }

    init(
        _ path: String, isPlain: Bool, _ state: LogState?, _ key: SealKey?,
        _ fileSystem: any FileSystem
    ) throws(Errno) {
        self.init(head: .none, isSealed: key != nil)
        guard isPlain else { return }
        let first = try Self.firstLine(of: path)
        date = first.date
        size = first.size
        generation = max(Self.number(in: first.line, path), state?.generation ?? 0)
        let numbers = try fileSystem.names(in: LogName.folder(of: path)).compactMap { name in
            LogName.number(of: name, path, highest: generation)
        }
        generation = max(generation, numbers.max() ?? 0)
        guard let key else {
            isTorn = try Self.scan(path, nil, nil, from: 0, isOnlyEnd: true).isTorn
            return
        }
        // The state speaks of this file if no rotation has come between.
        let known = state.flatMap { $0.generation == generation && $0.size <= size ? $0 : nil }
        var found = try Self.scan(
            path, key, SealChain(after: known?.head ?? .none), from: known?.size ?? 0)
        if found.head == .none, let newest = numbers.max() {
            let full = try Self.scan(
                LogName.path(of: path, newest), key, SealChain(), from: 0)
            found.chain?.continue(after: full.head)
        }
        if let state, state.head.sequence > found.head.sequence {
            isMissing = size == 0 && state.size > 0
            isMissingTail = size > 0
            found.chain?.continue(after: state.head)
        }
        chain = found.chain
        isTorn = found.isTorn
    }

    /// Whether the file's first line is of this day.
    func isOf(_ now: Timestamp) -> Bool {
        let today = now.rfc3339
        return size == 0 || date.count == 10 && date.indices.allSatisfy { date[$0] == today[$0] }
    }

    /// What is in a file that the logger comes back to while it runs.
    static func found(
        _ path: String, _ file: LogDescriptor, after chain: SealChain?
    ) throws(Errno) -> (chain: SealChain?, size: Int, isTorn: Bool) {
        guard file.status.isRegularFile, file.status.size > 0 else { return (chain, 0, false) }
        let scan = try scan(path, nil, chain, from: 0)
        return (scan.chain, scan.size, scan.isTorn)
    }

    /// The last line of a file, if it is a seal.
    static func lastSeal(in path: String) throws(Errno) -> SealLine? {
        let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        let size = try file.status().size
        var bytes = [UInt8](repeating: 0, count: min(size, 1024))
        var span = bytes.mutableSpan
        let count = try file.read(into: &span, at: max(0, size - 1024))
        guard count > 0, bytes[count - 1] == UInt8(ascii: "\n") else { return nil }
        let start = bytes[..<(count - 1)].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return SealLine(bytes.span.extracting(start..<(count - 1)))
    }

    // MARK: Reading

    private struct Scan {
        var chain: SealChain?
        var size: Int
        var isTorn: Bool
        var head: SealHead { chain?.head ?? .none }
    }

    /// Longer lines are none of ours, and need not be looked at.
    private static let longestLine = 16 * 1024

    /// Reads the file from `offset` to its end, and takes every line into the chain.
    /// - Parameters:
    ///   - key: nil to take no seal's word for how far the chain has come.
    ///   - isOnlyEnd: look at the last byte and at nothing else.
    private static func scan(
        _ path: String, _ key: SealKey?, _ start: SealChain?, from offset: Int,
        isOnlyEnd: Bool = false
    ) throws(Errno) -> Scan {
        let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
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
                scan.chain?.take(buffer.span.extracting(lineStart..<(lineEnd + 1)), key)
                lineStart = lineEnd + 1
            }
            kept = end - lineStart
            if count == 0 || kept > longestLine {
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
    ) throws(Errno) -> (line: [UInt8], date: [UInt8], size: Int) {
        let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        var bytes = [UInt8](repeating: 0, count: 512)
        var span = bytes.mutableSpan
        let count = try file.read(into: &span)
        let line = bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }
        // Behind what stands before it in the three formats.
        let start = line.first == UInt8(ascii: "{") ? 9 : line.first == UInt8(ascii: "t") ? 5 : 0
        return (Array(line), Array(line.dropFirst(start).prefix(10)), try file.status().size)
    }

    /// The number of the full file that a first line names; 0 if it names none. Full files that were
    /// collected and taken away leave no other trace of their numbers.
    private static func number(in line: [UInt8], _ path: String) -> Int {
        for format in LogFormat.allCases {
            // Behind the time. A stranger's text that looks like it stands further on.
            let line = line.dropFirst(LineStamp(format).text.count)
            let start = lineUpToNumber(path, format)
            guard line.starts(with: start) else { continue }
            let digits = line.dropFirst(start.count).prefix { $0 &- UInt8(ascii: "0") < 10 }
            // In quotation marks or not, nothing else follows a name.
            guard let next = line[digits.endIndex...].first, next == 0x20 || next == 0x22 else {
                continue
            }
            let name = LogName.base(of: path) + "." + String(decoding: digits, as: UTF8.self)
            return LogName.number(of: name, path, highest: .max) ?? 0
        }
        return 0
    }

    /// What stands before the number in the first line of a new file, without the time.
    private static func lineUpToNumber(_ path: String, _ format: LogFormat) -> [UInt8] {
        let event = LogRotated(file: LogName.base(of: path) + ".", reason: "size")
        let line = LogLine.whole(event, at: Timestamp(seconds: 0), format)
            .dropFirst(LineStamp(format).text.count)
        // Nothing behind the name has a dot.
        return Array(line[...(line.lastIndex(of: UInt8(ascii: ".")) ?? line.startIndex)])
    }
}

extension SealChain {
    /// No log gets there, with a seal a second: whoever plants such a number must not use up ours.
    private static let highestForeign: UInt64 = 1_000_000_000_000

    /// Takes in the next line, its end included; behind a seal a new segment begins.
    /// - Parameter key: nil to take no seal's word for how far the chain has come; it ends a segment
    ///   all the same, because to a verifier it does.
    fileprivate mutating func take(_ line: Span<UInt8>, _ key: SealKey?) {
        let text = line.extracting(0..<(line.count - 1))
        guard let seal = SealLine(text) else { return update(line) }
        guard let key else { return advance(to: head) }
        let coded = text.extracting(0..<seal.codedCount)
        let isRight =
            seal.keyID != key.id && seal.sequence < Self.highestForeign
            || seal.keyID == key.id
                && code(key, after: seal.previous, seal.sequence, closing: coded) == seal.code
        // Never backwards: a file that was put back must not make numbers come twice.
        advance(to: isRight && seal.sequence > head.sequence ? seal.head : head)
    }
}
