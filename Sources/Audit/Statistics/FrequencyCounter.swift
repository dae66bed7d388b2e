/// Counts how often each of many values was seen, in bounded memory.
///
/// Theory. As long as there are no more than `2 * capacity` different values, every count is exact.
/// When there are more, the count that the value in place `capacity` + 1 has is taken off all of
/// them, and those that have nothing left are forgotten (Misra and Gries, "Finding repeated
/// elements", in batches): a value that is seen often stays, and its count is too low by at most
/// `undercount`, the sum of what was taken off. Whoever sends a million different values makes the
/// counts blurred, and the memory no larger.
struct FrequencyCounter: ~Copyable {
    /// Longer values are counted by how they begin; nothing that the log names is this long.
    static let longestValue = 128

    private struct Entry {
        let hash: Int
        /// Where the value stands in `values`.
        let start: Int
        let length: Int
        var count: Int64
    }

    private let capacity: Int
    private var entries: [Entry] = []
    private var values: [UInt8] = []
    /// The index of an entry, or -1, by its hash; the next place if that is taken. Twice as many
    /// places as entries at least, so that there is always one free.
    private var table: [Int32]
    /// All that were counted, the forgotten included.
    private(set) var total: Int64 = 0
    /// How much too low a count may be; zero while all are exact.
    private(set) var undercount: Int64 = 0

    /// - Parameter capacity: values that are kept whatever happens. With 128 bytes a value, the
    ///   default is 6 MiB at most.
    init(capacity: Int = 16_384) {
        self.capacity = capacity
        table = [Int32](repeating: -1, count: 64)
    }

    var isExact: Bool { undercount == 0 }

    /// Different values; more than that if it is not exact.
    var distinct: Int { entries.count }

    mutating func add(_ value: Span<UInt8>, _ weight: Int64) {
        total = total.addingSaturated(weight)
        let value = value.extracting(first: Self.longestValue)
        // Seeded for each process, so that nobody can choose values that share a place.
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

    /// The values seen most often, the first of them first; by their bytes where they are even.
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
    /// A count that a log claims may be absurd.
    func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
