import Crypto

/// The journal's bytes, and what they mean. Little-endian throughout.
///
/// Header, 88 bytes: 20 of title, 4 of version, 48 of the three keys under which names are made, 8
/// that are new in each file, and a check over all of these: the first 8 bytes of their SHA-256.
///
/// Record, 44 bytes: name (16), time in milliseconds (8), `until` and kind (8), how many records before
/// this one the write began that it was part of (4), and the check: 8 bytes of the SHA-256 of the
/// file's own 8 bytes, the record's number and the record. So a block of another file, or of another
/// place in this one, is not taken for a record of this place. The checks are not chained: they guard
/// against disks, not against people (whoever can write the file can also remove it), and one bad
/// record must not make all behind it unreadable, because those say whether it may be dropped.
///
/// Torn or damaged. A write begins only when the one before it is on the disk. Therefore only records
/// of the last write can be missing or wrong after a crash; they were not acknowledged, and go. A wrong
/// record is damage if a sound one behind it says that its write began after it; then something that
/// was acknowledged is lost. The first records of a file are followed by a mark that says how many they
/// are; the file gets its name when all of them are on the disk, so whatever is wrong up to the mark
/// is damage, too. (What is wrong in the last write is taken for torn even if it was acknowledged and
/// went bad later: nothing in the file can tell these apart.)
enum JournalRecord {
    static let size = 44
    private static let checkedSize = 36

    /// A record that says only that all before it stand.
    static let markKind: UInt8 = 0

    enum Content: Equatable {
        case entry(RevocationEntry)
        /// - isGuarded: there is a `JournalState` of this journal.
        case mark(isGuarded: Bool)
        /// Written by a later version.
        case unknown
    }

    static func append(
        _ entry: RevocationEntry, number: Int, writeBegan: Int, _ file: JournalHeader,
        to bytes: inout [UInt8]
    ) {
        append(
            name: entry.key.name, time: entry.time, last: entry.untilAndKind, number: number,
            writeBegan: writeBegan, file, to: &bytes)
    }

    /// - Parameter isGuarded: in the name, which versions without a state do not read.
    static func appendMark(
        number: Int, _ file: JournalHeader, isGuarded: Bool = false, to bytes: inout [UInt8]
    ) {
        append(
            name: SipHash13.Value(low: isGuarded ? 1 : 0, high: 0), time: 0, last: UInt64(markKind),
            number: number, writeBegan: number, file, to: &bytes)
    }

    static func append(
        name: SipHash13.Value, time: Int64, last: UInt64, number: Int, writeBegan: Int,
        _ file: JournalHeader, to bytes: inout [UInt8]
    ) {
        let start = bytes.count
        bytes.append(littleEndian: name.low)
        bytes.append(littleEndian: name.high)
        bytes.append(littleEndian: UInt64(bitPattern: time))
        bytes.append(littleEndian: last)
        bytes.append(littleEndian: UInt32(clamping: number - writeBegan))
        let check = check(bytes.span.extracting(start..<bytes.count), number, file)
        bytes.append(littleEndian: check)
    }

    /// A record and where its write began; nil if it is not whole.
    static func parse(
        _ bytes: Span<UInt8>, number: Int, _ file: JournalHeader
    ) -> (content: Content, writeBegan: Int)? {
        guard bytes.count == size,
            bytes.word(checkedSize) == check(bytes.extracting(0..<checkedSize), number, file)
        else { return nil }
        let distance = Int(UInt32(truncatingIfNeeded: bytes.word(32)))
        let name = SipHash13.Value(low: bytes.word(0), high: bytes.word(8))
        let last = bytes.word(24)
        let time = Int64(bitPattern: bytes.word(16))
        let content =
            if let entry = RevocationEntry(name: name, time: time, untilAndKind: last) {
                Content.entry(entry)
            } else {
                UInt8(truncatingIfNeeded: last) == markKind
                    ? Content.mark(isGuarded: name.low == 1) : .unknown
            }
        return (content, number - distance)
    }

    private static func check(
        _ bytes: Span<UInt8>, _ number: Int, _ file: JournalHeader
    ) -> UInt64 {
        // 52 bytes: one block of SHA-256.
        var place = InlineArray<16, UInt8>(repeating: 0)
        for index in 0..<8 {
            place[index] = UInt8(truncatingIfNeeded: file.nonce >> UInt64(index * 8))
            place[8 + index] = UInt8(truncatingIfNeeded: number >> (index * 8))
        }
        var hash = SHA256()
        hash.update(place.span)
        hash.update(bytes)
        return hash.finalize().bytes.span.word(0)
    }
}

/// What stands at the beginning of a journal.
struct JournalHeader: Equatable {
    static let size = 88
    private static let title = Array("gatehouse.revocation".utf8)
    private static let version: UInt32 = 1

    let keys: Keys
    /// Tells this file's records from those of others.
    let nonce: UInt64

    /// The keys under which names are made, one for each domain. They go from file to file: names
    /// are all that is kept, so a new key would be another name.
    struct Keys: Equatable {
        let token: SipHash13
        let session: SipHash13
        let user: UserIDScrambler
        fileprivate let words: [UInt64]

        fileprivate init(_ words: [UInt64]) {
            self.words = words
            token = SipHash13(words[0], words[1])
            session = SipHash13(words[2], words[3])
            user = UserIDScrambler(first: words[4], second: words[5])
        }

        static func random() -> Keys {
            let bytes = RandomBytes.array(count: 48)
            return Keys((0..<6).map { bytes.span.word($0 * 8) })
        }
    }

    init(_ keys: Keys) {
        self.keys = keys
        let nonce = RandomBytes.array(count: 8)
        self.nonce = nonce.span.word(0)
    }

    /// Nil if it is no header, or not a sound one.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count == Self.size, Self.hasTitle(bytes),
            UInt32(truncatingIfNeeded: bytes.word(20)) == Self.version,
            bytes.word(80) == Self.check(bytes.extracting(0..<80))
        else { return nil }
        keys = Keys((0..<6).map { bytes.word(24 + $0 * 8) })
        nonce = bytes.word(72)
    }

    /// Whether these are the beginning of a journal of this version, sound or not.
    static func isBegun(_ bytes: Span<UInt8>) -> Bool {
        bytes.count < 24
            || hasTitle(bytes) && UInt32(truncatingIfNeeded: bytes.word(20)) == version
    }

    private static func hasTitle(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count >= title.count else { return false }
        for index in title.indices where bytes[index] != title[index] { return false }
        return true
    }

    var bytes: [UInt8] {
        var bytes = Self.title
        bytes.append(littleEndian: Self.version)
        for word in keys.words { bytes.append(littleEndian: word) }
        bytes.append(littleEndian: nonce)
        bytes.append(littleEndian: Self.check(bytes.span))
        return bytes
    }

    private static func check(_ bytes: Span<UInt8>) -> UInt64 {
        let digest = SHA256.digest(of: bytes)
        return digest.bytes.span.word(0)
    }
}

extension [UInt8] {
    fileprivate mutating func append<Number: FixedWidthInteger>(littleEndian number: Number) {
        for index in 0..<(Number.bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: number >> Number(index * 8)))
        }
    }
}

extension Span<UInt8> {
    /// Up to eight bytes from `start` on, the first one lowest.
    fileprivate func word(_ start: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<Swift.min(8, count - start) {
            word |= UInt64(self[start + index]) << UInt64(index * 8)
        }
        return word
    }
}
