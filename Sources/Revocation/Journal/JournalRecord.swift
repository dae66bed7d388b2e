import Crypto

/// The journal's binary format. All integers are little-endian.
///
/// Header, 88 bytes:
/// - magic (20) and version (4);
/// - the three keys under which names are derived (48);
/// - a nonce that is new in each file (8);
/// - a checksum: the first 8 bytes of the SHA-256 of all of these.
///
/// Record, 44 bytes:
/// - name (16);
/// - time in milliseconds (8);
/// - `forgetAfter` and kind (8);
/// - the distance, in records, to the first record of the same write (4);
/// - a checksum (8): of the SHA-256 over the file's nonce, the record's number and the record.
///
/// Nonce and number keep a block of another file, or of another position in this one, from being
/// accepted as a record. The checksums are not chained. They detect disk errors, not tampering: an
/// attacker who can write the file can also remove it. A chain would also make every record after
/// an invalid one unreadable, and those decide whether the invalid one may be dropped.
///
/// Torn or damaged. A write starts only after the previous write is synced. So after a crash only
/// records of the last write can be missing or invalid; they were not acknowledged and are dropped.
/// An invalid record is damage if a later valid record belongs to a write that started after it:
/// then an acknowledged record is lost. The initial records of a file end with a marker. The file
/// is renamed into place only after all of them are synced, so an invalid record before the marker
/// is damage, too.
///
/// Limit: if an acknowledged record of the last write decays later, it is treated as torn. Nothing
/// in the file distinguishes the two cases.
enum JournalRecord {
    static let size = 44
    private static let checkedSize = 36

    /// The kind of the marker record: all records before it were written with the file.
    static let markKind: UInt8 = 0

    enum Content: Equatable {
        case entry(RevocationEntry)
        /// - isGuarded: a `JournalState` exists for this journal.
        case mark(isGuarded: Bool)
        /// The kind is from a later version.
        case unknown
    }

    static func append(
        _ entry: RevocationEntry, number: Int, writeBegan: Int, _ file: JournalHeader,
        to bytes: inout [UInt8]
    ) {
        append(
            name: entry.key.name, time: entry.time, last: entry.forgetAfterAndKind, number: number,
            writeBegan: writeBegan, file, to: &bytes)
    }

    /// - Parameter isGuarded: stored in the name, which versions without a state file ignore.
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

    /// A record's content and the number of the first record of its write; nil if the record is
    /// invalid.
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
            if let entry = RevocationEntry(name: name, time: time, forgetAfterAndKind: last) {
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

/// The first bytes of a journal.
struct JournalHeader: Equatable {
    static let size = 88
    private static let magic = Array("gatehouse.revocation".utf8)
    private static let version: UInt32 = 1

    let keys: Keys
    /// Distinguishes this file's records from those of other files.
    let nonce: UInt64

    /// The keys under which names are derived, one for each kind of identifier. A replaced file
    /// keeps them: the journal stores only names, and a new key would change every name.
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

    /// Nil unless the bytes are a valid header of this version.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count == Self.size, Self.hasMagic(bytes),
            UInt32(truncatingIfNeeded: bytes.word(20)) == Self.version,
            bytes.word(80) == Self.check(bytes.extracting(0..<80))
        else { return nil }
        keys = Keys((0..<6).map { bytes.word(24 + $0 * 8) })
        nonce = bytes.word(72)
    }

    /// Whether the bytes are a header of this version, valid or not, or too short to decide.
    static func isPrefix(_ bytes: Span<UInt8>) -> Bool {
        bytes.count < 24
            || hasMagic(bytes) && UInt32(truncatingIfNeeded: bytes.word(20)) == version
    }

    private static func hasMagic(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count >= magic.count else { return false }
        for index in magic.indices where bytes[index] != magic[index] { return false }
        return true
    }

    var bytes: [UInt8] {
        var bytes = Self.magic
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
    /// Up to eight bytes from `start` on, least significant byte first.
    fileprivate func word(_ start: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<Swift.min(8, count - start) {
            word |= UInt64(self[start + index]) << UInt64(index * 8)
        }
        return word
    }
}
