import Crypto
import Glibc
import POSIX

/// What the next start must know about the log: how far the chain of seals had come at the last
/// sync, and where. Kept in a small file beside the log, `.app.log.state`.
///
/// A verifier uses it, too: a log that ends before its state has lost its end. So the state has a
/// code under the seal's key, and it never describes more than is on disk. A log whose process was
/// killed may extend beyond it.
///
/// Two slots are written alternately, each with one write. The newer slot with a valid code counts.
package struct LogState: Sendable, Equatable {
    package var head: SealHead
    /// The number of the last archive.
    package var lastArchiveNumber: Int
    /// The offset after the head's line in the file; 0 if that line is in an earlier file.
    package var size: Int
    /// The file's inode number; nil in a state that an earlier version wrote.
    package var inode: UInt64?
    /// The head is the seal of a stop, and no server has written anything after it. The next start
    /// clears this before its first line.
    package var isFinal: Bool

    package init(
        head: SealHead, generation: Int, size: Int, inode: UInt64? = nil, isFinal: Bool = false
    ) {
        self.head = head
        self.lastArchiveNumber = generation
        self.size = size
        self.inode = inode
        self.isFinal = isFinal
    }

    private static let slotSize = 512
    private static let title = "gatehouse log state 1"

    /// The path of this log's state file.
    package static func path(of log: String) -> String { LogFileNames.companion(of: log, "state") }

    /// The newest state in the file; nil if this key has written none.
    /// - Throws: Why the file cannot be read.
    package static func read(from path: String, _ key: SealKey) throws(Errno) -> LogState? {
        try readSlots(path, key).max { $0.turn < $1.turn }?.state
    }

    /// Whether the file is a state file, of any key.
    static func isState(_ path: String) throws(Errno) -> Bool {
        let file = try SystemFileSystem().open(path, O_RDONLY, mode: 0)
        var bytes = [UInt8](repeating: 0, count: 2 * slotSize)
        var span = bytes.mutableSpan
        let count = try file.read(into: &span)
        // The slot at offset 0 is the second one to be written.
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
            ("\(Self.title) turn=\(turn) head=\(head.text) generation=\(lastArchiveNumber) "
                + "size=\(size)").utf8)
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
        // The code is valid, so this process or an earlier one has written the text.
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
    /// The state that the file contains.
    private(set) var state: LogState?

    init(_ path: String, _ key: SealKey) throws(Errno) {
        let newest = try LogState.readSlots(path, key).max { $0.turn < $1.turn }
        let file = try Self.open(path)
        // A slot of another key must not become valid if that key returns: it would describe a file
        // that has changed since.
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
    mutating func clearFinal() throws(Errno) {
        guard var running = state, running.isFinal else { return }
        running.isFinal = false
        try write(running)
        try file.synchronize()
    }

    /// Empties the state file of a log that continues without seals; it would soon be outdated.
    static func clear(_ path: String) throws(Errno) {
        do throws(Errno) {
            let file = try SystemFileSystem().open(path, O_WRONLY, mode: 0)
            try SystemFileSystem().truncate(file, to: 0)
        } catch {
            guard error != .noSuchFileOrDirectory else { return }
            throw error
        }
    }

    /// Whether the path still leads to this file.
    func isInPlace(_ path: String) -> Bool {
        guard let ours = try? file.status(), let current = try? FileStatus(path: path) else {
            return false
        }
        return current.isSameFile(as: ours)
    }

    /// Writes the state to the older slot, unless it is unchanged. Does not sync.
    mutating func write(_ state: LogState) throws(Errno) {
        guard state != self.state else { return }
        let slot = state.slot(turn: turn + 1, key)
        try file.write(slot.span, at: Int((turn + 1) % 2) * slot.count)
        turn += 1
        self.state = state
    }
}
