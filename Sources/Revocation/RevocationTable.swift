import Glibc
import POSIX
import Synchronization

/// The entries in memory. Any number of threads read without a lock; one thread at a time changes
/// the table, while it holds the lock of `Revocations`.
///
/// Theory. A hash table with linear probing in memory from mmap(2). A slot has four words: two for
/// the name, the time, and `forgetAfter` with the kind. A filter before the slots has one byte per
/// slot: a name sets four bits in one of its words. A reader that does not find all four bits set
/// is done after one cache line. At three quarters full, a new table is filled and replaces the old
/// one.
///
/// Memory ordering. Every word is atomic, so there are no torn words and no data races. A slot is
/// filled from its last word to its first. The first word, which is never 0, is stored with release
/// order and loaded with acquire order, so a reader that sees the name sees the complete entry. A
/// name stays in its slot for the lifetime of the table. The time may change later, in one store: a
/// reader sees the earlier or the later one. A removed entry gets the time
/// `RevocationEntry.notInForce`.
///
/// A new table is published through `generation`, stored with release order after the table is
/// complete; its low bits are the table's place. A reader that learned of an entry before its
/// lookup (through a lock, a message or a response) loads that generation or a later one and finds
/// the entry.
///
/// Reclamation. Memory that was a table is not unmapped before `deinit`. It is handed back to the
/// kernel with madvise(2), after which its pages read as zeros. A reader that was overtaken
/// therefore reads zeros or the words of a later table, and nothing else. After its lookup a reader
/// loads the generation again, after an acquire fence, and starts again if it has changed.
///
/// This is a sequence lock: the generation changes (followed by a fence) before the memory that it
/// named is reused. A reader that loaded a word written after that also sees the changed
/// generation. The generation counts up, and its 57 bits do not wrap around in practice. A reader
/// repeats only if the table was replaced during its lookup, so some reader always makes progress.
///
/// Sound: `@unchecked Sendable`, because the stored properties that change are atomics, or are used
/// only under the lock.
@safe final class RevocationTable: @unchecked Sendable {
    private typealias Words = UnsafeMutablePointer<Atomic<UInt64>>

    /// Where a table is: each size has two places, used alternately.
    private struct Place: Equatable {
        let sizeLog: Int
        let side: Int

        var index: Int { sizeLog << 1 | side }
        var capacity: Int { 1 << sizeLog }
        /// Words of the filter, at one byte per slot.
        var filterCount: Int { capacity >> 3 }
        var byteCount: Int { (filterCount + capacity * RevocationTable.slotWords) * 8 }
    }

    /// The four words of an entry. Sound: `init` gets the first slot of a table and the index of
    /// one of its slots, so that all four words are in the table's memory.
    @unsafe private struct Slot {
        private let words: Words

        @inline(__always)
        init(_ first: Words, _ index: Int) { unsafe words = first + index &* slotWords }

        /// The name's `low`, never 0 (`mark`); 0 if the slot is free.
        @inline(__always) var nameLow: Words { unsafe words }
        @inline(__always) var nameHigh: Words { unsafe words + 1 }
        /// The time's bits; those of `RevocationEntry.notInForce` if the entry was removed.
        @inline(__always) var time: Words { unsafe words + 2 }
        @inline(__always) var forgetAfterAndKind: Words { unsafe words + 3 }
    }

    private static let slotWords = 4
    private static let smallest = 8
    /// 2^23 slots, 258 MiB. Three quarters of them is more than the limit of `Revocations`.
    private static let largest = 23
    private static let placeBits = 6
    private static let shrinkingAtLeast = 128

    /// The current table: its place in the low bits, a counter in the others.
    private let generation: Atomic<UInt64>
    /// Addresses by place; each is stored once, before a generation names it.
    private let addresses: UnsafeMutablePointer<Atomic<UInt>>
    /// The kinds that may be in the table, one bit each.
    private let kinds = Atomic<UInt64>(0)

    // The following properties are used only under the lock.
    private var place: Place
    /// Slots with a name (`used`), and those of them that are not in force (`vacated`).
    private var used = 0
    private var vacated = 0
    private(set) var counts = InlineArray<6, Int>(repeating: 0)

    init() throws(Errno) {
        let count = 1 << Self.placeBits
        // Sound: each element is initialized once, before any is read, and no other thread has the
        // pointer yet.
        let addresses = UnsafeMutablePointer<Atomic<UInt>>.allocate(capacity: count)
        for index in 0..<count { unsafe (addresses + index).initialize(to: Atomic(0)) }
        unsafe self.addresses = unsafe addresses
        place = Place(sizeLog: Self.smallest, side: 0)
        generation = Atomic(UInt64(place.index))
        _ = unsafe try Self.words(place, addresses)
    }

    deinit {
        // Sound: a reader holds a reference to this object, so no reader is left; each mapping has
        // the size of its place.
        for index in 0..<(1 << Self.placeBits) {
            let address = unsafe addresses[index].load(ordering: .relaxed)
            guard address != 0 else { continue }
            let place = Place(sizeLog: index >> 1, side: index & 1)
            unsafe munmap(UnsafeMutableRawPointer(bitPattern: address), place.byteCount)
        }
        unsafe addresses.deinitialize(count: 1 << Self.placeBits)
        unsafe addresses.deallocate()
    }

    /// The memory of a place; maps it on first use. Sound: `addresses` has an element for every
    /// place, and the kernel maps zeros, which are valid words.
    private static func words(
        _ place: Place, _ addresses: UnsafeMutablePointer<Atomic<UInt>>
    ) throws(Errno) -> Words {
        let known = unsafe addresses[place.index].load(ordering: .relaxed)
        if known != 0 { return unsafe words(at: known) }
        let mapped = unsafe mmap(
            nil, place.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { throw .noMemory }
        // Lookups hit random pages, so large pages save TLB misses. This is only a hint.
        unsafe madvise(mapped, place.byteCount, CInt(MADV_HUGEPAGE))
        unsafe addresses[place.index].store(UInt(bitPattern: mapped), ordering: .releasing)
        return unsafe words(at: UInt(bitPattern: mapped))
    }

    /// Sound: the address came from mmap, and `Atomic<UInt64>` has the layout of a word for which
    /// all bits zero is a valid value.
    @inline(__always)
    private static func words(at address: UInt) -> Words {
        unsafe UnsafeMutablePointer(bitPattern: address)!
    }

    // MARK: Reading

    /// The names to look up.
    struct Query {
        var token: SipHash13.Value?
        var session: SipHash13.Value?
        var user: SipHash13.Value?
    }

    /// The times of the matching entries; `RevocationEntry.notInForce` where there is none.
    struct Match: Equatable {
        var token = RevocationEntry.notInForce
        var spent = RevocationEntry.notInForce
        var session = RevocationEntry.notInForce
        var user = RevocationEntry.notInForce

        var isEmpty: Bool { self == Match() }
    }

    /// The kinds that may be in the table: a name of any other kind need not be computed. Zero if
    /// empty.
    var kindBits: UInt64 { kinds.load(ordering: .acquiring) }

    static func bit(_ kind: EntryKind) -> UInt64 { 1 << UInt64(kind.rawValue) }

    /// The entries with these names. Takes no lock and allocates nothing.
    @inline(__always)
    func lookUp(_ query: Query) -> Match {
        while true {
            let current = generation.load(ordering: .acquiring)
            let match = lookUp(query, current)
            atomicMemoryFence(ordering: .acquiring)
            if generation.load(ordering: .relaxed) == current { return match }
        }
    }

    /// Sound: `rebuild` stored `current` after the address that it names.
    @inline(__always)
    private func lookUp(_ query: Query, _ current: UInt64) -> Match {
        let index = Int(truncatingIfNeeded: current & (1 << UInt64(Self.placeBits) &- 1))
        let words = unsafe Self.words(at: addresses[index].load(ordering: .relaxed))
        let slotMask = UInt64(1) &<< UInt64(index &>> 1) &- 1
        let filterMask = slotMask &>> 3
        // Load all filter words before testing any, so that their cache misses overlap.
        let tokenWord = unsafe filterWord(words, query.token, filterMask)
        let sessionWord = unsafe filterWord(words, query.session, filterMask)
        let userWord = unsafe filterWord(words, query.user, filterMask)
        var match = Match()
        if let name = query.token, Self.admits(tokenWord, name) {
            unsafe find(words, name, slotMask) { kind, time in
                if kind == EntryKind.token.rawValue { match.token = time }
                if kind == EntryKind.spentToken.rawValue { match.spent = time }
            }
        }
        if let name = query.session, Self.admits(sessionWord, name) {
            unsafe find(words, name, slotMask) { kind, time in
                if kind == EntryKind.session.rawValue { match.session = time }
            }
        }
        if let name = query.user, Self.admits(userWord, name) {
            unsafe find(words, name, slotMask) { kind, time in
                if kind == EntryKind.user.rawValue { match.user = time }
            }
        }
        return match
    }

    /// Sound: the table's memory begins with the filter, and a masked index is that of one of its
    /// words.
    @inline(__always)
    private func filterWord(
        _ words: Words, _ name: SipHash13.Value?, _ mask: UInt64
    ) -> UInt64 {
        guard let name else { return 0 }
        return unsafe words[Int(truncatingIfNeeded: name.high & mask)].load(ordering: .relaxed)
    }

    /// Four bits from the upper part of `high`; its lower part selects the filter's word.
    @inline(__always)
    private static func filterBits(_ name: SipHash13.Value) -> UInt64 {
        1 &<< (name.high &>> 58) | 1 &<< (name.high &>> 52 & 63) | 1 &<< (name.high &>> 46 & 63)
            | 1 &<< (name.high &>> 40 & 63)
    }

    @inline(__always)
    private static func admits(_ word: UInt64, _ name: SipHash13.Value) -> Bool {
        let bits = filterBits(name)
        return word & bits == bits
    }

    /// Calls `body` for each entry with this name. Sound: the filter is followed by one slot of
    /// four words for each value of the mask, and the memory stays mapped for the lifetime of this
    /// object.
    private func find(
        _ words: Words, _ name: SipHash13.Value, _ mask: UInt64,
        _ body: (_ kind: UInt8, _ time: Int64) -> Void
    ) {
        let slots = unsafe words + Int(truncatingIfNeeded: (mask &+ 1) &>> 3)
        let low = Self.mark(name)
        var index = low & mask
        // Bounded, whatever words an overtaken reader sees.
        for _ in 0...mask {
            let slot = unsafe Slot(slots, Int(truncatingIfNeeded: index))
            let found = unsafe slot.nameLow.pointee.load(ordering: .acquiring)
            if found == 0 { return }
            if found == low, unsafe slot.nameHigh.pointee.load(ordering: .relaxed) == name.high {
                let time = unsafe slot.time.pointee.load(ordering: .relaxed)
                let last = unsafe slot.forgetAfterAndKind.pointee.load(ordering: .relaxed)
                body(UInt8(truncatingIfNeeded: last), Int64(bitPattern: time))
            }
            index = (index &+ 1) & mask
        }
    }

    /// The first word of a name in a slot; never 0.
    @inline(__always)
    private static func mark(_ name: SipHash13.Value) -> UInt64 { name.low == 0 ? 1 : name.low }

    // MARK: Changing; the caller holds the lock

    /// Entries in force.
    var count: Int { used - vacated }

    func count(of kind: EntryKind) -> Int { counts[Int(kind.rawValue)] }

    /// The entry with this key, if it is in force.
    func entry(_ key: EntryKey) -> RevocationEntry? {
        // Sound: the slot is in the current table.
        guard let slot = unsafe slot(of: key) else { return nil }
        let entry = unsafe Self.entry(slot)
        return entry?.time == RevocationEntry.notInForce ? nil : entry
    }

    /// Puts an entry in, or changes the one with its key.
    /// - Throws: `noMemory` if the table is full and cannot grow.
    func set(_ entry: RevocationEntry) throws(Errno) {
        // Sound: the slot is in the current table.
        if let slot = unsafe slot(of: entry.key) {
            if unsafe slot.time.pointee.load(ordering: .relaxed)
                == UInt64(bitPattern: RevocationEntry.notInForce)
            {
                vacated -= 1
                counts[Int(entry.key.kind.rawValue)] += 1
            }
            unsafe slot.forgetAfterAndKind.pointee.store(
                entry.forgetAfterAndKind, ordering: .relaxed)
            unsafe slot.time.pointee.store(UInt64(bitPattern: entry.time), ordering: .releasing)
            return
        }
        if used + 1 > place.capacity / 4 * 3 {
            do throws(Errno) {
                try rebuild()
            } catch {
                // A fuller table is slower, but still works.
                guard used + 1 <= place.capacity / 16 * 15 else { throw error }
            }
        }
        // Stored before the entry: a reader that finds no bit ran before the entry existed.
        kinds.store(
            kinds.load(ordering: .relaxed) | Self.bit(entry.key.kind), ordering: .releasing)
        // Sound: these are the words of this place, and it has a free slot.
        unsafe put(entry, try Self.words(place, addresses), place)
        used += 1
        counts[Int(entry.key.kind.rawValue)] += 1
    }

    /// Marks an entry as not in force.
    func remove(_ key: EntryKey) {
        // Sound: the slot is in the current table.
        guard let slot = unsafe slot(of: key) else { return }
        let old = unsafe slot.time.pointee.exchange(
            UInt64(bitPattern: RevocationEntry.notInForce), ordering: .acquiringAndReleasing)
        guard old != UInt64(bitPattern: RevocationEntry.notInForce) else { return }
        vacated += 1
        counts[Int(key.kind.rawValue)] -= 1
    }

    /// Removes the entries in these slots that may be forgotten at `now`. Their slots are reused
    /// only by a new table.
    /// - Returns: the number of entries removed.
    func forget(in slots: Range<Int>, until now: Int64) -> Int {
        var keys: [EntryKey] = []
        forEach(in: slots) { if $0.forgetAfter <= now { keys.append($0.key) } }
        for key in keys { remove(key) }
        return keys.count
    }

    /// Replaces the table by a smaller one if most of its entries were removed.
    func shrink() throws(Errno) {
        if vacated > Self.shrinkingAtLeast, vacated > used / 2 { try rebuild() }
    }

    /// The number of slots, and the generation of the table. For callers that iterate over the
    /// slots in pieces and release the lock in between.
    var extent: (slots: Int, generation: UInt64) {
        (place.capacity, generation.load(ordering: .relaxed))
    }

    /// Calls `body` for each entry in force in these slots. Sound: the range is clamped to the
    /// slots of this place.
    func forEach(in slots: Range<Int>, _ body: (RevocationEntry) -> Void) {
        guard let words = unsafe try? Self.words(place, addresses) else { return }
        let first = unsafe words + place.filterCount
        for index in slots.clamped(to: 0..<place.capacity) {
            let slot = unsafe Slot(first, index)
            guard unsafe slot.nameLow.pointee.load(ordering: .relaxed) != 0,
                let entry = unsafe Self.entry(slot), entry.time != RevocationEntry.notInForce
            else { continue }
            body(entry)
        }
    }

    /// The slot's entry, in force or not. `RevocationEntry.init` never yields `notInForce`, so the
    /// time is set afterwards.
    private static func entry(_ slot: Slot) -> RevocationEntry? {
        let time = Int64(bitPattern: unsafe slot.time.pointee.load(ordering: .relaxed))
        let name = SipHash13.Value(
            low: unsafe slot.nameLow.pointee.load(ordering: .relaxed),
            high: unsafe slot.nameHigh.pointee.load(ordering: .relaxed))
        var entry = RevocationEntry(
            name: name, time: time,
            forgetAfterAndKind: unsafe slot.forgetAfterAndKind.pointee.load(ordering: .relaxed))
        entry?.time = time
        return entry
    }

    /// Sound: a masked index is that of one of the slots after the filter. There is always a free
    /// slot, at which the search ends.
    private func slot(of key: EntryKey) -> Slot? {
        guard let words = unsafe try? Self.words(place, addresses) else { return nil }
        let slots = unsafe words + place.filterCount
        let mask = place.capacity - 1
        let low = Self.mark(key.name)
        var index = Int(truncatingIfNeeded: low) & mask
        while true {
            let slot = unsafe Slot(slots, index)
            let found = unsafe slot.nameLow.pointee.load(ordering: .relaxed)
            if found == 0 { return nil }
            if found == low, unsafe slot.nameHigh.pointee.load(ordering: .relaxed) == key.name.high
            {
                let last = unsafe slot.forgetAfterAndKind.pointee.load(ordering: .relaxed)
                if UInt8(truncatingIfNeeded: last) == key.kind.rawValue { return unsafe slot }
            }
            index = (index + 1) & mask
        }
    }

    /// Fills a free slot, its first word last. Sound: the caller passes the words of the place and
    /// ensures a free slot; masked indexes are within its filter and its slots.
    private func put(_ entry: RevocationEntry, _ words: Words, _ place: Place) {
        let mask = place.capacity - 1
        let name = entry.key.name
        let word = unsafe words + Int(truncatingIfNeeded: name.high) & (place.filterCount - 1)
        unsafe word.pointee.store(
            unsafe word.pointee.load(ordering: .relaxed) | Self.filterBits(name),
            ordering: .relaxed)
        let slots = unsafe words + place.filterCount
        let low = Self.mark(name)
        var index = Int(truncatingIfNeeded: low) & mask
        while unsafe Slot(slots, index).nameLow.pointee.load(ordering: .relaxed) != 0 {
            index = (index + 1) & mask
        }
        let slot = unsafe Slot(slots, index)
        unsafe slot.forgetAfterAndKind.pointee.store(entry.forgetAfterAndKind, ordering: .relaxed)
        unsafe slot.time.pointee.store(UInt64(bitPattern: entry.time), ordering: .relaxed)
        unsafe slot.nameHigh.pointee.store(name.high, ordering: .relaxed)
        unsafe slot.nameLow.pointee.store(low, ordering: .releasing)
    }

    /// Replaces the table by one with the entries in force and at least half as many free slots.
    private func rebuild() throws(Errno) {
        let kept = count
        var sizeLog = Self.smallest
        while kept + kept / 2 + 1 > 1 << sizeLog { sizeLog += 1 }
        guard sizeLog <= Self.largest else { throw .noMemory }
        // Each size has two places: use the one that is not current.
        let side = sizeLog == place.sizeLog ? 1 - place.side : 0
        let new = Place(sizeLog: sizeLog, side: side)
        // Sound: these are the words of the new place. They are zeros, because the place is new or
        // was cleared, and they have room for half as many entries again.
        let words = unsafe try Self.words(new, addresses)
        var counts = InlineArray<6, Int>(repeating: 0)
        var kinds: UInt64 = 0
        forEach(in: 0..<place.capacity) { entry in
            unsafe put(entry, words, new)
            counts[Int(entry.key.kind.rawValue)] += 1
            kinds |= Self.bit(entry.key.kind)
        }
        let old = place
        // Sound: these words are mapped and have this size; no thread fills a slot there any more.
        let oldWords = unsafe try Self.words(old, addresses)
        let count = generation.load(ordering: .relaxed) >> UInt64(Self.placeBits)
        generation.store(
            (count &+ 1) << UInt64(Self.placeBits) | UInt64(new.index), ordering: .releasing)
        atomicMemoryFence(ordering: .releasing)
        self.kinds.store(kinds, ordering: .releasing)
        place = new
        used = kept
        vacated = 0
        self.counts = counts
        // Sound as above; the type's comment says what a concurrent reader may see.
        unsafe Self.clear(oldWords, old)
    }

    /// Hands the memory back to the kernel; it then reads as zeros. Sound: the caller passes the
    /// words of the place, which has `byteCount` bytes.
    private static func clear(_ words: Words, _ place: Place) {
        guard unsafe madvise(words, place.byteCount, CInt(MADV_DONTNEED)) != 0 else { return }
        for index in 0..<(place.byteCount / 8) { unsafe words[index].store(0, ordering: .relaxed) }
    }
}
