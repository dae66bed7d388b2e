/// Counts how often each of many values occurs, in bounded memory.
///
/// Theory. Up to `2 * capacity` different values, every count is exact. Beyond that, the count of
/// the value with rank `capacity` + 1 is subtracted from all counts, and values without a positive
/// count are dropped (Misra and Gries, "Finding repeated elements", in batches). A frequent value
/// stays, and its count is too low by at most `undercount`, the sum of what was subtracted. A
/// client that sends a million different values makes the counts less exact, and does not increase
/// the memory use.
struct FrequencyCounter: ~Copyable {
    /// Bytes. Longer values are counted by their beginning; nothing that the log itself names is
    /// this long.
    static let longestValue = 128

    private struct Entry {
        let hash: Int
        /// Offset of the value in `values`.
        let start: Int
        let length: Int
        var count: Int64
    }

    private let capacity: Int
    private var entries: [Entry] = []
    private var values: [UInt8] = []
    /// Hash table with open addressing: the index of an entry, or -1 if the slot is free; on a
    /// collision, the next slot is used. At least half of the slots are free.
    private var table: [Int32]
    /// The sum of all counts, including those of dropped values.
    private(set) var total: Int64 = 0
    /// The most by which a count may be too low; 0 while all counts are exact.
    private(set) var undercount: Int64 = 0

    /// - Parameter capacity: the number of values that always remain. With 128 bytes per value, the
    ///   default uses at most 6 MiB.
    init(capacity: Int = 16_384) {
        self.capacity = capacity
        table = [Int32](repeating: -1, count: 64)
    }

    var isExact: Bool { undercount == 0 }

    /// The number of different values; a lower bound if the counts are not exact.
    var distinct: Int { entries.count }

    mutating func add(_ value: Span<UInt8>, _ weight: Int64) {
        total = total.addingSaturated(weight)
        let value = value.extracting(first: Self.longestValue)
        // Hasher is seeded per process, so an attacker cannot choose values that collide.
        var hasher = Hasher()
        // Sound: the hasher has read the bytes when the closure returns.
        unsafe value.withUnsafeBytes { bytes in unsafe hasher.combine(bytes: bytes) }
        let hash = hasher.finalize()
        var place = hash & (table.count - 1)
        while table[place] >= 0 {
            let index = Int(table[place])
            let entry = entries[index]
            if entry.hash == hash, entry.length == value.count,
                values.span.extracting(entry.start..<(entry.start + entry.length)).isEqual(value)
            {
                entries[index].count = entry.count.addingSaturated(weight)
                return
            }
            place = (place + 1) & (table.count - 1)
        }
        table[place] = Int32(entries.count)
        let start = values.count
        for index in value.indices { values.append(value[index]) }
        entries.append(Entry(hash: hash, start: start, length: value.count, count: weight))
        if entries.count > 2 * capacity { forget() }
        if entries.count * 2 > table.count { rebuildTable() }
    }

    /// The most frequent values in descending order of their counts; equal counts are sorted by
    /// bytes.
    func top(_ count: Int) -> [(value: [UInt8], count: Int64)] {
        let sorted = entries.map {
            (value: Array(values[$0.start..<($0.start + $0.length)]), $0.count)
        }
        .sorted { a, b in
            a.1 != b.1 ? a.1 > b.1 : a.value.lexicographicallyPrecedes(b.value)
        }
        return sorted.prefix(count).map { (value: $0.value, count: $0.1) }
    }

    private mutating func forget() {
        let cut = entries.map(\.count).sorted(by: >)[capacity]
        undercount = undercount.addingSaturated(cut)
        var keptEntries: [Entry] = []
        var keptValues: [UInt8] = []
        for entry in entries where entry.count > cut {
            keptEntries.append(
                Entry(
                    hash: entry.hash, start: keptValues.count, length: entry.length,
                    count: entry.count - cut))
            keptValues += values[entry.start..<(entry.start + entry.length)]
        }
        entries = keptEntries
        values = keptValues
        rebuildTable()
    }

    private mutating func rebuildTable() {
        var size = 64
        while size < entries.count * 4 { size *= 2 }
        table = [Int32](repeating: -1, count: size)
        for (index, entry) in entries.enumerated() {
            var place = entry.hash & (size - 1)
            while table[place] >= 0 { place = (place + 1) & (size - 1) }
            table[place] = Int32(index)
        }
    }
}

extension Int64 {
    /// Saturates, because a count in a log line may be absurdly high.
    func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
