import Crypto
import Glibc
import POSIX

/// Reads a journal from beginning to end, in pieces. For any input it neither traps nor allocates
/// more than one piece.
enum JournalReader {
    /// What reading a journal finds, except for its entries.
    struct Contents {
        let header: JournalHeader
        /// The journal's marker says that a `JournalState` exists for it.
        var isGuarded = false
        /// SHA-256 of the header and of the valid records.
        var hash: SHA256
        /// SHA-256, in hexadecimal, after each number of records that the caller asked for.
        var digests: [Int: String] = [:]
        /// Valid records: the number of records before the first invalid one.
        var count = 0
        /// Bytes after the valid records: the rest of an unfinished write.
        var tornBytes = 0
    }

    private static let recordsAtATime = 1024

    /// Reads the journal at `path`; nil if there is no file.
    /// - Parameters:
    ///   - counts: the numbers of records after which a digest is wanted.
    ///   - take: is called with each entry, in the order in which they were written.
    /// - Throws: `notAJournal` for another kind of file or a later version, `damaged` if
    ///   acknowledged records are invalid, `failed` if the file cannot be read, and the errors of
    ///   `take`.
    static func read(
        _ path: String, _ fileSystem: any FileSystem, digestsAfter counts: [Int] = [],
        take: (RevocationEntry) throws(RevocationsError) -> Void
    ) throws(RevocationsError) -> Contents? {
        guard let file = try open(path, fileSystem) else { return nil }
        var bytes: [UInt8] = []
        var start = 0
        try fill(&bytes, JournalHeader.size, file, at: &start)
        guard let header = JournalHeader(bytes.span) else {
            // A file is renamed into place only when it is complete, so this is not a torn write.
            throw JournalHeader.isPrefix(bytes.span) ? .damaged(atByte: 0) : .notAJournal
        }
        var contents = Contents(header: header, hash: SHA256())
        contents.hash.update(bytes.span)
        if counts.contains(0) { contents.digests[0] = hexadecimal(contents.hash.finalize().span) }
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
                        contents.isGuarded = contents.isGuarded || isGuarded
                    case .unknown: throw .notAJournal
                    }
                    contents.hash.update(bytes.span.extracting(offset..<end))
                    if counts.contains(number + 1) {
                        contents.digests[number + 1] = hexadecimal(contents.hash.finalize().span)
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
        contents.count = firstBad ?? number
        contents.tornBytes = start - Journal.size(ofRecords: contents.count)
        return contents
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

    /// Reads `wanted` bytes, or fewer at the end of the file.
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
