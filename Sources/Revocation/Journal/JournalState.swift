import Crypto
import Glibc
import POSIX

/// How far a journal was written: which file, how many records, and a digest over them.
struct JournalExtent: Sendable, Equatable {
    /// `JournalHeader.nonce`, in hexadecimal.
    let file: String
    let count: Int
    /// SHA-256 of the header and of the records, in hexadecimal.
    let digest: String

    init(_ header: JournalHeader, count: Int, _ hash: SHA256) {
        let nonce = String(header.nonce, radix: 16)
        file = String(repeating: "0", count: 16 - nonce.count) + nonce
        self.count = count
        digest = hexadecimal(hash.finalize().span)
    }

    fileprivate init?(file: Substring?, count: Substring?, digest: Substring?) {
        guard let file, let count = count.flatMap({ Int($0) }), count >= 0, let digest else {
            return nil
        }
        self.file = String(file)
        self.count = count
        self.digest = String(digest)
    }

    /// Whether the file that was read starts with these records.
    func isCovered(by contents: JournalReader.Contents) -> Bool {
        file == JournalExtent(contents.header, count: 0, contents.hash).file
            && contents.count >= count && contents.digests[count] == digest
    }
}

/// The journal's extent, in a small file next to it (`.revocations.journal.state`). The extent is
/// authenticated with a key that is in neither file. A journal that was cut at a record boundary
/// looks complete by itself and would make revoked tokens valid again; the comparison with the
/// state detects the cut.
///
/// Order. Records are synced before the state names them, so the state is never ahead of the
/// journal. The state is written with each batch, but not synced. It survives the death of the
/// process; a power failure may set it back to the last sync, at most a minute earlier
/// (`Journal.syncState`). A cut within that minute's records is then not detected. In exchange a
/// revocation costs no second sync. Before a journal is replaced, the state names both files and is
/// synced.
///
/// Two slots are written alternately, each with one write of one disk sector. The newest valid one
/// counts.
struct JournalState: Equatable {
    /// One extent; two while the journal is being replaced.
    var extents: [JournalExtent]
    /// The number of writes of the state file.
    var turn: UInt64

    static let slotSize = 512
    private static let title = "gatehouse revocations state 1"
    /// Larger numbers are rejected: no file is written so often, and a forged one must not
    /// overflow.
    private static let lastTurn = UInt64(1) << 62

    /// What reading a state file finds.
    enum Found: Equatable {
        /// There is no file.
        case missing
        /// No slot is valid.
        case unreadable
        /// The newest slot was written under a key that is not configured.
        case foreign(turn: UInt64)
        case known(JournalState)

        var turn: UInt64 {
            switch self {
            case .missing, .unreadable: 0
            case .foreign(let turn): turn
            case .known(let state): state.turn
            }
        }
    }

    static func read(
        _ path: String, _ keys: [HMACSHA256.Key], _ fileSystem: any FileSystem
    ) throws(Errno) -> Found {
        var bytes = [UInt8](repeating: 0, count: 2 * slotSize)
        do throws(Errno) {
            let file = try fileSystem.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, mode: 0)
            guard try file.status().isRegularFile else { return .unreadable }
            var span = bytes.mutableSpan
            _ = try file.read(into: &span, at: 0)
        } catch {
            if error == .noSuchFileOrDirectory { return .missing }
            throw error
        }
        let slots = [bytes[..<slotSize], bytes[slotSize...]].map { parse($0, keys) }
        return slots.max { $0.turn < $1.turn } ?? .unreadable
    }

    // MARK: One slot

    func slot(_ key: HMACSHA256.Key) -> [UInt8] {
        var text = "\(Self.title) turn=\(turn) key=\(Self.mark(of: key))"
        for (prefix, extent) in zip(["", "next_"], extents) {
            text += " \(prefix)file=\(extent.file) \(prefix)count=\(extent.count)"
            text += " \(prefix)digest=\(extent.digest)"
        }
        text += " check=\(Self.check(text, key))"
        let bytes = Array(text.utf8)
        return bytes + [UInt8](repeating: UInt8(ascii: " "), count: Self.slotSize - 1 - bytes.count)
            + [UInt8(ascii: "\n")]
    }

    private static func parse(_ slot: ArraySlice<UInt8>, _ keys: [HMACSHA256.Key]) -> Found {
        let text = String(decoding: slot, as: UTF8.self)
        guard text.hasPrefix(title), let end = text.firstRange(of: " check=") else {
            return .unreadable
        }
        var values: [Substring: Substring] = [:]
        for word in text[..<end.lowerBound].split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        guard let turn = values["turn"].flatMap({ UInt64($0) }), turn < lastTurn,
            let mark = values["key"]
        else { return .unreadable }
        guard let key = keys.first(where: { Self.mark(of: $0) == mark }) else {
            return .foreign(turn: turn)
        }
        let first = JournalExtent(
            file: values["file"], count: values["count"], digest: values["digest"])
        guard let first,
            text[end.upperBound...].prefix(while: { $0 != " " })
                == check(String(text[..<end.lowerBound]), key)
        else { return .unreadable }
        let next = JournalExtent(
            file: values["next_file"], count: values["next_count"], digest: values["next_digest"])
        return .known(JournalState(extents: [first] + [next].compactMap(\.self), turn: turn))
    }

    /// A short identifier of a key that reveals nothing else about it.
    static func mark(of key: HMACSHA256.Key) -> String {
        String(hexadecimal(HMACSHA256.code(for: Array("key".utf8).span, key: key).span).prefix(16))
    }

    private static func check(_ text: String, _ key: HMACSHA256.Key) -> String {
        hexadecimal(HMACSHA256.code(for: Array("state \(text)".utf8).span, key: key).span)
    }
}

// MARK: - Checking a journal

/// What is known about the completeness of the journal.
package enum JournalProof: Sendable, Equatable {
    /// Complete according to its state; or the journal is new, or has no state file by
    /// configuration.
    case proven
    /// The journal was written by a version that did not write a state file.
    case unproven
    /// The state was written under keys that are no longer configured. All sessions have been
    /// ended.
    case foreignKeys
    /// The operator accepted the journal without proof. All sessions have been ended.
    case accepted
}

extension JournalState.Found {
    /// Checks a journal against its state.
    /// - Parameter contents: nil if there is no journal.
    /// - Throws: `gone`, `cut`, `exchanged` or `stateMissing` if records are or may be missing.
    func judge(_ contents: JournalReader.Contents?) throws(RevocationsError) -> JournalProof {
        switch self {
        case .known(let state):
            let expected = state.extents.map(\.count).max() ?? 0
            guard let contents else { throw .gone(records: expected) }
            if state.extents.contains(where: { $0.isCovered(by: contents) }) { return .proven }
            let name = JournalExtent(contents.header, count: 0, contents.hash).file
            guard let same = state.extents.last(where: { $0.file == name }),
                same.count > contents.count
            else { throw .exchanged }
            throw .cut(records: contents.count, of: same.count)
        case .foreign: return .foreignKeys
        case .missing, .unreadable:
            // The state is written before a journal that requires one.
            guard let contents else { return .proven }
            guard !contents.isGuarded else { throw .stateMissing }
            return .unproven
        }
    }
}
