import Crypto
import Glibc
import POSIX

/// What the next start has to know about the log, in a small file beside it, `.app.log.state`: how far
/// the chain of seals had come by the time it was last put on the disk, and where.
///
/// Also what a verifier holds the log against: a log that ends before its state has lost its tail. So
/// the state is under a code of the same key; it never runs ahead of what is on the disk, and a log that
/// was killed may have come further.
///
/// Two slots are written in turn, each with one write; whichever is whole and newer counts.
package struct LogState: Sendable, Equatable {
    package var head: SealHead
    /// The number that the last full file got.
    package var generation: Int
    /// Bytes of the file up to and with the head's line; 0 if that is in an earlier file.
    package var size: Int
    /// The file's inode number; nil in a state that an earlier version wrote.
    package var inode: UInt64?
    /// The head is the seal of a stop: no server has written anything behind it. The next start
    /// takes this back before its first line.
    package var isFinal: Bool

    package init(
        head: SealHead, generation: Int, size: Int, inode: UInt64? = nil, isFinal: Bool = false
    ) {
        self.head = head
        self.generation = generation
        self.size = size
        self.inode = inode
        self.isFinal = isFinal
    }

    private static let slotSize = 512
    private static let title = "gatehouse log state 1"

    /// Where the state of this log is kept.
    package static func path(of log: String) -> String { LogFileNames.companion(of: log, "state") }

    /// The newest state that stands in the file; nil if there is none that this key has written.
    package static func read(from path: String, _ key: SealKey) throws(Errno) -> LogState? {
        try readSlots(path, key).max { $0.turn < $1.turn }?.state
    }

    /// Whether the file is a state, of whatever key.
    static func isState(_ path: String) throws(Errno) -> Bool {
        let file = try SystemFileSystem().open(path, O_RDONLY, mode: 0)
        var bytes = [UInt8](repeating: 0, count: 2 * slotSize)
        var span = bytes.mutableSpan
        let count = try file.read(into: &span)
        // The first slot is the second to be written.
        return bytes[..<count].starts(with: title.utf8)
            || bytes[..<count].dropFirst(slotSize).starts(with: title.utf8)
    }

    fileprivate typealias Slot = (turn: UInt64, state: LogState)

    fileprivate static func readSlots(_ path: String, _ key: SealKey) throws(Errno) -> [Slot] {
        let file: FileDescriptor
        do throws(Errno) {
            file = try SystemFileSystem().open(path, O_RDONLY, mode: 0)
        } catch {
            guard error == .noSuchFileOrDirectory else { throw error }
            return []
        }
        var bytes = [UInt8](repeating: 0, count: 2 * slotSize)
        var span = bytes.mutableSpan
        let count = try file.read(into: &span)
        return stride(from: 0, to: count, by: slotSize).compactMap { start in
            parse(bytes[start..<min(start + slotSize, count)], key)
        }
    }

    // MARK: One slot

    fileprivate func slot(turn: UInt64, _ key: SealKey) -> [UInt8] {
        var text = Array(
            "\(Self.title) turn=\(turn) head=\(head.text) generation=\(generation) size=\(size)"
                .utf8)
        if let inode { text += Array(" inode=\(inode)".utf8) }
        if isFinal { text += Array(" final=1".utf8) }
        text += Array(" check=\(Self.check(text, key))".utf8)
        text += [UInt8](repeating: UInt8(ascii: " "), count: Self.slotSize - 1 - text.count)
        return text + [UInt8(ascii: "\n")]
    }

    private static func check(_ text: [UInt8], _ key: SealKey) -> String {
        let code = HMACSHA256.code(for: (Array("state ".utf8) + text).span, key: key.key)
        return hexadecimal(code.span)
    }

    private static func parse(_ slot: ArraySlice<UInt8>, _ key: SealKey) -> Slot? {
        let text = String(decoding: slot, as: UTF8.self)
        guard let end = text.firstRange(of: " check="),
            text[end.upperBound...].prefix(while: { $0 != " " })
                == check(Array(text[..<end.lowerBound].utf8), key)
        else { return nil }
        // Under the code: what follows is what was written.
        var values: [Substring: Substring] = [:]
        for word in text[..<end.lowerBound].split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        guard let turn = values["turn"].flatMap({ UInt64($0) }),
            let head = values["head"].flatMap({ SealHead(String($0)) }),
            let generation = values["generation"].flatMap({ Int($0) }),
            let size = values["size"].flatMap({ Int($0) })
        else { return nil }
        let state = LogState(
            head: head, generation: generation, size: size,
            inode: values["inode"].flatMap { UInt64($0) }, isFinal: values["final"] == "1")
        return (turn, state)
    }
}

/// The state file, open for writing.
struct LogStateFile: ~Copyable {
    private let file: FileDescriptor
    private let key: SealKey
    private var turn: UInt64
    /// What stands there now.
    private(set) var state: LogState?

    init(_ path: String, _ key: SealKey) throws(Errno) {
        let newest = try LogState.readSlots(path, key).max { $0.turn < $1.turn }
        let file = try Self.open(path)
        // What another key wrote must not come back when its turn comes again: it would speak of a
        // file that has changed since.
        if newest == nil { try SystemFileSystem().truncate(file, to: 0) }
        self.file = file
        self.key = key
        turn = newest?.turn ?? 0
        state = newest?.state
    }

    private static func open(_ path: String) throws(Errno) -> FileDescriptor {
        let file = try SystemFileSystem().open(path, O_WRONLY | O_CREAT, mode: 0o600)
        guard try file.status().isRegularFile else { throw .notRegularFile }
        return file
    }

    /// Clears `isFinal` on disk. Must be called before a line is written after the seal of a stop.
    mutating func begin() throws(Errno) {
        guard var begun = state, begun.isFinal else { return }
        begun.isFinal = false
        try write(begun)
        try file.synchronize()
    }

    /// Empties the file of a log that goes on without seals: what it says does not hold for long.
    static func clear(_ path: String) throws(Errno) {
        do throws(Errno) {
            let file = try SystemFileSystem().open(path, O_WRONLY, mode: 0)
            try SystemFileSystem().truncate(file, to: 0)
        } catch {
            guard error != .noSuchFileOrDirectory else { return }
            throw error
        }
    }

    /// Whether it is still the file that the next process would find.
    func isInPlace(_ path: String) -> Bool {
        guard let ours = try? file.status(), let there = try? FileStatus(path: path) else {
            return false
        }
        return there.isSameFile(as: ours)
    }

    mutating func write(_ state: LogState) throws(Errno) {
        guard state != self.state else { return }
        let slot = state.slot(turn: turn + 1, key)
        try file.write(slot.span, at: Int((turn + 1) % 2) * slot.count)
        turn += 1
        self.state = state
    }
}
