import Crypto
import Foundation
import POSIX
import Revocation
import TestSupport
import Time

/// The bytes describe a changed journal of revocations (numbers are hexadecimal):
///
/// | byte | meaning |
/// | --- | --- |
/// | FC | the header of the original |
/// | 80, 81, … | a record of the original |
/// | FB and 36 bytes | a new record, with a valid checksum for its place |
/// | FE and a byte | removes as many bytes from the end |
/// | FF and three bytes | changes one byte: its place (two bytes), and the bits to flip |
/// | any other | itself |
enum JournalProperties {
    private static let original = Result { try Original() }
    private static let now = Timestamp(seconds: 1_800_000_000)

    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        let original = try original.get()
        let (journal, hasNewRecords) = expanded(bytes, original)
        let path = "\(folder)/revocations.journal"
        try Files.write(journal, to: path)
        let read = outcome { () throws(RevocationsError) in
            try Revocations(reading: path, at: now)
        }
        // Opening the journal for changes also repairs it.
        let used = outcome { () throws(RevocationsError) in
            try Revocations(path: path, at: now, fileSystem: fileSystem())
        }
        try require(read == used, "reading finds \(read), opening for changes \(used)")
        if !hasNewRecords {
            let expected = original.verdict(on: journal)
            try require(read == expected, "found \(read), expected \(expected)")
        }
        guard case .success(let contents) = read else { return }
        let repaired = outcome { () throws(RevocationsError) in
            try Revocations(reading: path, at: now)
        }
        var expected = contents
        expected.tornBytes = 0
        try require(
            repaired == .success(expected), "repaired it has \(repaired), before \(contents)")
    }

    /// The observable contents of a journal.
    private struct Contents: Equatable {
        var tornBytes = 0
        var tokens = 0
        var spentTokens = 0
        var sessions = 0
        var users = 0
        var hasEveryone = false
    }

    private static func outcome(
        _ open: () throws(RevocationsError) -> Revocations
    ) -> Result<Contents, RevocationsError> {
        Result { () throws(RevocationsError) in
            let revocations = try open()
            let statistics = revocations.statistics
            return Contents(
                tornBytes: revocations.start.tornBytes, tokens: statistics.tokens,
                spentTokens: statistics.spentTokens, sessions: statistics.sessions,
                users: statistics.users, hasEveryone: statistics.hasEveryone)
        }
    }

    /// The test needs no protection against power failures.
    private static func fileSystem() -> FileSystemDouble {
        FileSystemDouble { operation, _ in operation == .synchronize ? .skipped : .done }
    }

    // MARK: The original journal

    private static let headerSize = 88
    private static let recordSize = 44

    private static func size(of count: Int) -> Int { headerSize + count * recordSize }

    /// A journal that was rewritten with three entries, and then got revocations in five writes.
    private struct Original {
        let bytes: [UInt8]
        /// For each record, the index of the first record of its write.
        private var writes: [Int] = []
        private let markIndex: Int

        init() throws {
            let folder = try TemporaryFolder()
            let path = folder.path("revocations.journal")
            try Self.open(path) { revocations in
                try revocations.revoke(
                    [1, 2, 3].map { .token([$0]) }, at: now, until: .init(seconds: 1_900_000_000))
            }
            // Opening rewrites the journal: all valid entries in one write.
            var counts: [Int] = []
            try Self.open(path) { revocations in
                let until = Timestamp(seconds: 1_900_000_000)
                func count() throws {
                    counts.append((try Files.bytes(of: path).count - headerSize) / recordSize)
                }
                try count()
                try revocations.revoke([.session([4])], at: now, until: until)
                try count()
                try revocations.revoke(
                    [.token([5]), .session([6]), .user(7)], at: now, until: until)
                try count()
                let spent: [UInt8] = [8]
                _ = try revocations.spend(token: spent.span, expires: until, at: now)
                try count()
                try revocations.revoke([.everyone], at: now, until: until)
                try count()
                try revocations.revoke([.user(9), .user(10)], at: now, until: until)
                try count()
            }
            bytes = try Files.bytes(of: path)
            let all = bytes
            guard let mark = (0..<counts[0]).first(where: { Self.kind(all, $0) == 0 }) else {
                throw PropertyFailure("the journal has no mark")
            }
            markIndex = mark
            // The records up to the mark are one write.
            var starts = [Int](repeating: 0, count: mark + 1)
            for index in (mark + 1)..<counts[0] { starts.append(index) }
            for (start, end) in zip(counts, counts.dropFirst()) {
                starts += [Int](repeating: start, count: end - start)
            }
            writes = starts
        }

        private static func open(_ path: String, _ body: (Revocations) throws -> Void) throws {
            try body(try Revocations(path: path, at: now, fileSystem: fileSystem()))
        }

        private static func kind(_ bytes: [UInt8], _ index: Int) -> UInt8 {
            bytes[size(of: index) + 24]
        }

        func record(_ index: Int) -> ArraySlice<UInt8>? {
            index < writes.count ? bytes[size(of: index)..<size(of: index + 1)] : nil
        }

        /// The expected result for these bytes, if they contain no new records.
        func verdict(on journal: [UInt8]) -> Result<Contents, RevocationsError> {
            guard journal.prefix(headerSize) == bytes[..<headerSize] else {
                let title = bytes[..<24]
                let isBegun = journal.count < 24 || journal.prefix(24) == title
                return .failure(isBegun ? .damaged(atByte: 0) : .notAJournal)
            }
            // The checksum of a record covers its place.
            let places = (journal.count - headerSize + recordSize - 1) / recordSize
            let isSound = (0..<places).map { place in
                let end = min(size(of: place + 1), journal.count)
                return record(place) == journal[size(of: place)..<end]
            }
            let count = isSound.firstIndex(of: false) ?? places
            let isDamaged = isSound.indices.contains { isSound[$0] && writes[$0] > count }
            guard count > markIndex, !isDamaged else {
                return .failure(.damaged(atByte: size(of: count)))
            }
            var contents = Contents(tornBytes: journal.count - size(of: count))
            for index in 0..<count {
                switch Self.kind(bytes, index) {
                case 1: contents.tokens += 1
                case 2: contents.spentTokens += 1
                case 3: contents.sessions += 1
                case 4: contents.users += 1
                case 5: contents.hasEveryone = true
                default: break
                }
            }
            return .success(contents)
        }
    }

    // MARK: Changes

    private static func expanded(
        _ input: [UInt8], _ original: Original
    ) -> (bytes: [UInt8], hasNewRecords: Bool) {
        var bytes: [UInt8] = []
        var rest = input[...]
        var hasNewRecords = false
        while let byte = rest.popFirst() {
            switch byte {
            case 0x80..<0xFB: bytes += original.record(Int(byte - 0x80)) ?? []
            case 0xFB:
                hasNewRecords = true
                let content = Array(rest.prefix(36))
                rest = rest.dropFirst(36)
                bytes += sound(content, at: bytes.count, original)
            case 0xFC: bytes += original.bytes[..<headerSize]
            case 0xFE: bytes.removeLast(min(bytes.count, Int(rest.popFirst() ?? 0)))
            case 0xFF:
                let place = Int(rest.popFirst() ?? 0) << 8 | Int(rest.popFirst() ?? 0)
                let change = rest.popFirst() ?? 1
                if !bytes.isEmpty { bytes[place % bytes.count] ^= change }
            default: bytes.append(byte)
            }
        }
        return (bytes, hasNewRecords)
    }

    /// A record with this content. Its checksum covers the file's own eight bytes, the record's
    /// number and the record.
    private static func sound(
        _ content: [UInt8], at offset: Int, _ original: Original
    ) -> [UInt8] {
        let filled = content + [UInt8](repeating: 0, count: 36 - content.count)
        let number = max(0, offset - headerSize) / recordSize
        let place = (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        let checked = original.bytes[72..<80] + place + filled
        let digest = SHA256.digest(of: checked.span)
        return filled + Array(copying: digest.span).prefix(8)
    }
}
