import Time

/// Selects the archives to remove. The oldest go first, and no archive older than a removed one is
/// kept.
struct Retention: Sendable, Equatable {
    /// Archives to keep.
    var maximumFiles = 30
    /// Time since an archive was last written; nil for no limit.
    var maximumAge: TimeAmount?
    /// Bytes of all files together, with the current file counted at its maximum size; nil for no
    /// limit.
    var maximumTotalSize: Int?

    struct Archive: Sendable, Equatable {
        let number: Int
        /// Bytes.
        let size: Int
        /// Last modification, in milliseconds since 1970-01-01 UTC.
        let modified: Int64
    }

    /// - Parameters:
    ///   - files: The archives, the oldest first.
    ///   - currentSize: Bytes to reserve for the current file.
    /// - Returns: The archives to remove, and the limit that removes the last of them: `count`,
    ///   `age` or `size`.
    func excess(
        of files: [Archive], besides currentSize: Int, _ now: Timestamp
    ) -> (files: ArraySlice<Archive>, reason: StaticString?) {
        var count = 0
        var reason: StaticString?
        var total = files.reduce(currentSize) { $0 + $1.size }
        while count < files.count {
            let file = files[count]
            if files.count - count > maximumFiles {
                reason = "count"
            } else if let maximumAge, Timestamp(milliseconds: file.modified) + maximumAge <= now {
                reason = "age"
            } else if let maximumTotalSize, total > maximumTotalSize {
                reason = "size"
            } else {
                break
            }
            total -= file.size
            count += 1
        }
        return (files[..<count], reason)
    }
}
