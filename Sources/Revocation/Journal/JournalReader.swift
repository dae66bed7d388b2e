import Crypto
import Glibc
import POSIX

/// Reads a journal from beginning to end, in pieces. Whatever its bytes are, it neither traps nor
/// takes more memory for them.
enum JournalReader {
    struct Found {
        let header: JournalHeader
        /// It says that there is a `JournalState` of it.
        var isGuarded = false
        /// Of the header and the whole records.
        var hash: SHA256
        /// The same after as many records as were asked for, in hexadecimal digits.
        var digests: [Int: String] = [:]
        /// Whole records; the file is good up to and with them.
        var count = 0
        /// Bytes behind them: what is left of a write that was not finished.
        var tornBytes = 0
    }

    private static let recordsAtATime = 1024

    /// Nil if there is no file.
    /// - Parameters:
    ///   - counts: after how many records a digest is wanted.
    ///   - take: is given each entry, in the order in which they were written.
    static func read(
        _ path: String, _ fileSystem: any FileSystem, digestsAfter counts: [Int] = [],
        take: (RevocationEntry) throws(RevocationsError) -> Void
    ) throws(RevocationsError) -> Found? {
        guard let file = try open(path, fileSystem) else { return nil }
        var bytes: [UInt8] = []
        var start = 0
        try fill(&bytes, JournalHeader.size, file, at: &start)
        guard let header = JournalHeader(bytes.span) else {
            // A file gets its name when it is whole, so this is no torn write.
            throw JournalHeader.isBegun(bytes.span) ? .damaged(atByte: 0) : .notAJournal
        }
        var found = Found(header: header, hash: SHA256())
        found.hash.update(bytes.span)
        if counts.contains(0) { found.digests[0] = hexadecimal(found.hash.finalize().span) }
        var number = 0
        var firstBad: Int?
        var hasMark = false
        while true {
            try fill(&bytes, recordsAtATime * JournalRecord.size, file, at: &start)
            for offset in stride(from: 0, to: bytes.count, by: JournalRecord.size) {
                let end = min(offset + JournalRecord.size, bytes.count)
                let record = JournalRecord.parse(
                    bytes.span.extracting(offset..<end), number: number, header)
                if let firstBad {
                    if let record, record.writeBegan > firstBad { throw damage(firstBad) }
                } else if let record {
                    switch record.content {
                    case .entry(let entry): try take(entry)
                    case .mark(let isGuarded):
                        hasMark = true
                        found.isGuarded = found.isGuarded || isGuarded
                    case .unknown: throw .notAJournal
                    }
                    found.hash.update(bytes.span.extracting(offset..<end))
                    if counts.contains(number + 1) {
                        found.digests[number + 1] = hexadecimal(found.hash.finalize().span)
                    }
                } else {
                    guard hasMark else { throw damage(number) }
                    firstBad = number
                }
                number += 1
            }
            if bytes.count < recordsAtATime * JournalRecord.size { break }
        }
        guard hasMark else { throw damage(number) }
        found.count = firstBad ?? number
        found.tornBytes = start - Journal.size(ofRecords: found.count)
        return found
    }

    private static func open(
        _ path: String, _ fileSystem: any FileSystem
    ) throws(RevocationsError) -> FileDescriptor? {
        do throws(Errno) {
            let file = try fileSystem.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, mode: 0)
            if try file.status().isRegularFile { return file }
        } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw .failed(error)
        }
        throw .notAJournal
    }

    private static func damage(_ number: Int) -> RevocationsError {
        .damaged(atByte: Journal.size(ofRecords: number))
    }

    /// Reads `wanted` bytes, or up to the end.
    private static func fill(
        _ bytes: inout [UInt8], _ wanted: Int, _ file: borrowing FileDescriptor,
        at offset: inout Int
    ) throws(RevocationsError) {
        bytes.removeAll(keepingCapacity: true)
        do throws(Errno) {
            while bytes.count < wanted {
                var piece = [UInt8](repeating: 0, count: wanted - bytes.count)
                var span = piece.mutableSpan
                let count = try file.read(into: &span, at: offset)
                if count == 0 { break }
                bytes += piece[..<count]
                offset += count
            }
        } catch {
            throw .failed(error)
        }
    }
}
