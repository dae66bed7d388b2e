import Glibc
import POSIX
import Synchronization

/// The entries in memory: read without a lock by any number of threads, changed by one at a time, which
/// holds the lock of `Revocations`.
///
/// Theory. A hash table with linear probing in memory that comes from mmap(2), four words a slot: the
/// name's two, the time, `until` with the kind. In front of it a filter, one byte to a slot: a name
/// sets four bits in one word, and a reader who finds them not all set has touched one cache line and
/// is done. At three quarters full a new table is filled and takes the old one's place.
///
/// Memory ordering. Every word is an atomic, so that there is no torn word and no data race. A slot is
/// filled from its last word to its first, and its first (never 0) is stored with release order; a
/// reader loads it with acquire order, so whoever sees the name sees all of the entry. A name stays in
/// its slot for as long as the table lives. The time may change later, in one store: a reader sees the
/// earlier or the later one. An entry that is taken back gets `Entry.noTime`.
///
/// Another table is made known by `generation`, stored with release order when the table is whole: its
/// low bits say where it is. Whoever was told of an entry (by a lock, a message, an answer over the
/// network) before they look, loads that generation or a later one, and finds the entry there.
///
/// Reclamation. Memory that once was a table is never unmapped before the object goes, only handed
/// back to the kernel with madvise(2), which makes its pages read as zeros; so a reader that was
/// overtaken reads zeros or a later table's words, never anything else's. Having read, it looks at the
/// generation again, behind an acquire fence, and begins anew if it has changed. That is a sequence
/// lock: the generation changes (then a fence) before the memory that it named is touched; if a reader
/// has loaded any word from after that, it sees the changed generation, too. The generation counts up
/// and 57 bits of it do not come back to where they were. A reader is held up only by a table that was
/// replaced in those nanoseconds, so some reader always gets on.
///
/// `@unchecked Sendable` is sound: the stored properties that change are atomics, or touched only by
/// the one who holds the lock.
@safe final class RevocationTable: @unchecked Sendable {
    private typealias Words = UnsafeMutablePointer<Atomic<UInt64>>

    /// Where a table is: two of each size take turns.
    private struct Place: Equatable {
        let sizeLog: Int
        let side: Int

        var index: Int { sizeLog << 1 | side }
        var capacity: Int { 1 << sizeLog }
        /// Words of the filter: a byte a slot.
        var filterCount: Int { capacity >> 3 }
        var byteCount: Int { (filterCount + capacity * RevocationTable.slotWords) * 8 }
    }

    private static let slotWords = 4
    private static let smallest = 8
    /// 2^23 slots, 258 MiB: three quarters of that is more than `Revocations` allows.
    private static let largest = 23
    private static let placeBits = 6
    private static let shrinkingAtLeast = 128

    /// Which table is read: its place in the low bits, and a count.
    private let generation: Atomic<UInt64>
    /// Addresses by place; each is stored once, before a generation names it.
    private let addresses: UnsafeMutablePointer<Atomic<UInt>>
    /// Which kinds may be in the table, a bit each.
    private let kinds = Atomic<UInt64>(0)

    // What follows is for the one who holds the lock.
    private var place: Place
    /// Slots with a name, and those among them that are not in force.
    private var used = 0
    private var vacated = 0
    private(set) var counts = InlineArray<6, Int>(repeating: 0)

    init() throws(Errno) {
        let count = 1 << Self.placeBits
        // Sound: each place is initialized, once, before anything is read, and nobody else has them
        // yet.
        let addresses = UnsafeMutablePointer<Atomic<UInt>>.allocate(capacity: count)
        for index in 0..<count { unsafe (addresses + index).initialize(to: Atomic(0)) }
        unsafe self.addresses = unsafe addresses
        place = Place(sizeLog: Self.smallest, side: 0)
        generation = Atomic(UInt64(place.index))
        _ = unsafe try Self.words(place, addresses)
    }

    deinit {
        // Sound: nobody reads any more, because a reader has a reference to this object; what was mapped
        // for a place has the size of the place.
        for index in 0..<(1 << Self.placeBits) {
            let address = unsafe addresses[index].load(ordering: .relaxed)
            guard address != 0 else { continue }
            let place = Place(sizeLog: index >> 1, side: index & 1)
            unsafe munmap(UnsafeMutableRawPointer(bitPattern: address), place.byteCount)
        }
        unsafe addresses.deinitialize(count: 1 << Self.placeBits)
        unsafe addresses.deallocate()
    }

    /// The memory of a place, mapped when it is first wanted. Sound: `addresses` has room for the number of
    /// every place, and what the kernel maps is all zeros, which are words.
    private static func words(
        _ place: Place, _ addresses: UnsafeMutablePointer<Atomic<UInt>>
    ) throws(Errno) -> Words {
        let known = unsafe addresses[place.index].load(ordering: .relaxed)
        if known != 0 { return unsafe words(at: known) }
        let mapped = unsafe mmap(
            nil, place.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { throw .noMemory }
        // A table is read all over; with large pages the processor finds them sooner. A wish only.
        unsafe madvise(mapped, place.byteCount, CInt(MADV_HUGEPAGE))
        unsafe addresses[place.index].store(UInt(bitPattern: mapped), ordering: .releasing)
        return unsafe words(at: UInt(bitPattern: mapped))
    }

    /// Sound: the address is one that mmap gave, and `Atomic<UInt64>` is laid out as a word, of which
    /// all bits zero are a value.
    @inline(__always)
    private static func words(at address: UInt) -> Words {
        unsafe UnsafeMutablePointer(bitPattern: address)!
    }

    // MARK: Reading

    /// What a reader asks for.
    struct Query {
        var token: SipHash13.Value?
        var session: SipHash13.Value?
        var user: SipHash13.Value?
    }

    /// The times of the entries that bear on a question; `Entry.noTime` where there is none.
    struct Match: Equatable {
        var token = RevocationEntry.notInForce
        var spent = RevocationEntry.notInForce
        var session = RevocationEntry.notInForce
        var user = RevocationEntry.notInForce

        var isEmpty: Bool { self == Match() }
    }

    /// The kinds that may be there: what is not needs no name. Zero for an empty table.
    var kindBits: UInt64 { kinds.load(ordering: .acquiring) }

    static func bit(_ kind: EntryKind) -> UInt64 { 1 << UInt64(kind.rawValue) }

    @inline(__always)
    func answer(_ question: Query) -> Match {
        while true {
            let seen = generation.load(ordering: .acquiring)
            let answer = answer(question, seen)
            atomicMemoryFence(ordering: .acquiring)
            if generation.load(ordering: .relaxed) == seen { return answer }
        }
    }

    /// Soundness: `seen` has been stored by `put`, after the address that it names.
    @inline(__always)
    private func answer(_ question: Query, _ seen: UInt64) -> Match {
        let index = Int(truncatingIfNeeded: seen & (1 << UInt64(Self.placeBits) &- 1))
        let words = unsafe Self.words(at: addresses[index].load(ordering: .relaxed))
        let slotMask = UInt64(1) &<< UInt64(index &>> 1) &- 1
        let filterMask = slotMask &>> 3
        // All the filter's words are asked for before any is looked at, so that their cache misses
        // overlap.
        let tokenWord = unsafe filterWord(words, question.token, filterMask)
        let sessionWord = unsafe filterWord(words, question.session, filterMask)
        let userWord = unsafe filterWord(words, question.user, filterMask)
        var answer = Match()
        if let name = question.token, Self.admits(tokenWord, name) {
            unsafe find(words, name, slotMask) { kind, time in
                if kind == EntryKind.token.rawValue { answer.token = time }
                if kind == EntryKind.spentToken.rawValue { answer.spent = time }
            }
        }
        if let name = question.session, Self.admits(sessionWord, name) {
            unsafe find(words, name, slotMask) { kind, time in
                if kind == EntryKind.session.rawValue { answer.session = time }
            }
        }
        if let name = question.user, Self.admits(userWord, name) {
            unsafe find(words, name, slotMask) { kind, time in
                if kind == EntryKind.user.rawValue { answer.user = time }
            }
        }
        return answer
    }

    /// Sound: a masked number is that of one of the filter's words, with which the table's memory begins.
    @inline(__always)
    private func filterWord(
        _ words: Words, _ name: SipHash13.Value?, _ mask: UInt64
    ) -> UInt64 {
        guard let name else { return 0 }
        return unsafe words[Int(truncatingIfNeeded: name.high & mask)].load(ordering: .relaxed)
    }

    /// Four bits from the upper half of the name; its lower half chose the filter's word.
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

    /// Calls `body` for each entry with this name. Sound: behind the filter there are as many slots of four
    /// words as the mask has numbers, and the memory stays mapped for as long as this object is there.
    private func find(
        _ words: Words, _ name: SipHash13.Value, _ mask: UInt64,
        _ body: (_ kind: UInt8, _ time: Int64) -> Void
    ) {
        let slots = unsafe words + Int(truncatingIfNeeded: (mask &+ 1) &>> 3)
        let low = Self.mark(name)
        var index = low & mask
        // Bounded, whatever an overtaken reader may see.
        for _ in 0...mask {
            let slot = unsafe slots + Int(truncatingIfNeeded: index) &* Self.slotWords
            let found = unsafe slot[0].load(ordering: .acquiring)
            if found == 0 { return }
            if found == low, unsafe slot[1].load(ordering: .relaxed) == name.high {
                let time = Int64(bitPattern: unsafe slot[2].load(ordering: .relaxed))
                body(UInt8(truncatingIfNeeded: unsafe slot[3].load(ordering: .relaxed)), time)
            }
            index = (index &+ 1) & mask
        }
    }

    /// A name's first word, which is never 0 in a slot.
    @inline(__always)
    private static func mark(_ name: SipHash13.Value) -> UInt64 { name.low == 0 ? 1 : name.low }

    // MARK: Changing, under the lock

    /// Entries in force.
    var count: Int { used - vacated }

    func count(of kind: EntryKind) -> Int { counts[Int(kind.rawValue)] }

    /// The entry with this key, if it is in force.
    func entry(_ key: EntryKey) -> RevocationEntry? {
        // Sound: it is a slot of the table that is there.
        guard let slot = unsafe slot(of: key) else { return nil }
        let entry = unsafe Self.entry(slot)
        return entry?.time == RevocationEntry.notInForce ? nil : entry
    }

    /// Puts an entry in, or changes the one with its key.
    /// - Throws: `noMemory` if the table is full and cannot grow.
    func set(_ entry: RevocationEntry) throws(Errno) {
        // Sound: it is a slot of the table that is there.
        if let slot = unsafe slot(of: entry.key) {
            if unsafe slot[2].load(ordering: .relaxed)
                == UInt64(bitPattern: RevocationEntry.notInForce)
            {
                vacated -= 1
                counts[Int(entry.key.kind.rawValue)] += 1
            }
            unsafe slot[3].store(entry.untilAndKind, ordering: .relaxed)
            unsafe slot[2].store(UInt64(bitPattern: entry.time), ordering: .releasing)
            return
        }
        if used + 1 > place.capacity / 4 * 3 {
            do throws(Errno) {
                try rebuild()
            } catch {
                // It can be fuller than is good for it.
                guard used + 1 <= place.capacity / 16 * 15 else { throw error }
            }
        }
        // Before the entry: whoever finds no bit has looked before it was there.
        kinds.store(
            kinds.load(ordering: .relaxed) | Self.bit(entry.key.kind), ordering: .releasing)
        // Sound: these are the words of this place, in which there is a free slot.
        unsafe put(entry, try Self.words(place, addresses), place)
        used += 1
        counts[Int(entry.key.kind.rawValue)] += 1
    }

    /// Takes an entry back.
    func remove(_ key: EntryKey) {
        // Sound: it is a slot of the table that is there.
        guard let slot = unsafe slot(of: key) else { return }
        let old = unsafe slot[2].exchange(
            UInt64(bitPattern: RevocationEntry.notInForce), ordering: .acquiringAndReleasing)
        guard old != UInt64(bitPattern: RevocationEntry.notInForce) else { return }
        vacated += 1
        counts[Int(key.kind.rawValue)] -= 1
    }

    /// Forgets the entries in these slots that can be forgotten at `now`. Their slots stay taken until
    /// there is a new table.
    /// - Returns: how many they were.
    func forget(in slots: Range<Int>, until now: Int64) -> Int {
        var keys: [EntryKey] = []
        forEach(in: slots) { if $0.forgetAfter <= now { keys.append($0.key) } }
        for key in keys { remove(key) }
        return keys.count
    }

    /// Makes a smaller table of one that is mostly forgotten.
    func shrink() throws(Errno) {
        if vacated > Self.shrinkingAtLeast, vacated > used / 2 { try rebuild() }
    }

    /// Number of slots, and which table it is: for whoever reads it slot by slot and lets go of the
    /// lock between.
    var extent: (slots: Int, generation: UInt64) {
        (place.capacity, generation.load(ordering: .relaxed))
    }

    /// The entries in force in these slots. Sound: of numbers that are no slots of this place none is left.
    func forEach(in slots: Range<Int>, _ body: (RevocationEntry) -> Void) {
        guard let words = unsafe try? Self.words(place, addresses) else { return }
        let first = unsafe words + place.filterCount
        for index in slots.clamped(to: 0..<place.capacity) {
            let slot = unsafe first + index * Self.slotWords
            guard unsafe slot[0].load(ordering: .relaxed) != 0,
                let entry = unsafe Self.entry(slot), entry.time != RevocationEntry.notInForce
            else { continue }
            body(entry)
        }
    }

    /// The slot's entry, in force or not; sound where the caller has a slot, which is four words. `Entry`
    /// keeps the least time apart for itself.
    private static func entry(_ slot: Words) -> RevocationEntry? {
        let time = Int64(bitPattern: unsafe slot[2].load(ordering: .relaxed))
        let name = SipHash13.Value(
            low: unsafe slot[0].load(ordering: .relaxed),
            high: unsafe slot[1].load(ordering: .relaxed))
        var entry = RevocationEntry(
            name: name, time: time, untilAndKind: unsafe slot[3].load(ordering: .relaxed))
        entry?.time = time
        return entry
    }

    /// Sound: a masked number is that of one of the slots behind the filter. There is always a free one, at
    /// which the search ends.
    private func slot(of key: EntryKey) -> Words? {
        guard let words = unsafe try? Self.words(place, addresses) else { return nil }
        let slots = unsafe words + place.filterCount
        let mask = place.capacity - 1
        let low = Self.mark(key.name)
        var index = Int(truncatingIfNeeded: low) & mask
        while true {
            let slot = unsafe slots + index * Self.slotWords
            let found = unsafe slot[0].load(ordering: .relaxed)
            if found == 0 { return nil }
            if found == low, unsafe slot[1].load(ordering: .relaxed) == key.name.high,
                UInt8(truncatingIfNeeded: unsafe slot[3].load(ordering: .relaxed))
                    == key.kind.rawValue
            {
                return unsafe slot
            }
            index = (index + 1) & mask
        }
    }

    /// Fills a free slot; its first word last. Sound where the words are those of the place, and one of its
    /// slots is free: masked numbers are those of words of its filter, and of its slots.
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
        while unsafe slots[index * Self.slotWords].load(ordering: .relaxed) != 0 {
            index = (index + 1) & mask
        }
        let slot = unsafe slots + index * Self.slotWords
        unsafe slot[3].store(entry.untilAndKind, ordering: .relaxed)
        unsafe slot[2].store(UInt64(bitPattern: entry.time), ordering: .relaxed)
        unsafe slot[1].store(name.high, ordering: .relaxed)
        unsafe slot[0].store(low, ordering: .releasing)
    }

    /// Puts another table in this one's place, with what is in force, and room for half as much again.
    private func rebuild() throws(Errno) {
        let kept = count
        var sizeLog = Self.smallest
        while kept + kept / 2 + 1 > 1 << sizeLog { sizeLog += 1 }
        guard sizeLog <= Self.largest else { throw .noMemory }
        // Of the same size there are two: the one that is not in use.
        let side = sizeLog == place.sizeLog ? 1 - place.side : 0
        let new = Place(sizeLog: sizeLog, side: side)
        // Sound: the words are those of the place, all zeros, because it is new or was cleared, and there is
        // room for half as many entries again.
        let words = unsafe try Self.words(new, addresses)
        var counts = InlineArray<6, Int>(repeating: 0)
        var kinds: UInt64 = 0
        forEach(in: 0..<place.capacity) { entry in
            unsafe put(entry, words, new)
            counts[Int(entry.key.kind.rawValue)] += 1
            kinds |= Self.bit(entry.key.kind)
        }
        let old = place
        // Sound: these are mapped, and of this size; nobody fills a slot there any more.
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
        // Sound as above; what a reader may find there meanwhile is said at the top.
        unsafe Self.clear(oldWords, old)
    }

    /// Hands the memory back; it reads as zeros from then on. Sound where the words are those of the place,
    /// which has so many.
    private static func clear(_ words: Words, _ place: Place) {
        guard unsafe madvise(words, place.byteCount, CInt(MADV_DONTNEED)) != 0 else { return }
        for index in 0..<(place.byteCount / 8) { unsafe words[index].store(0, ordering: .relaxed) }
    }
}
