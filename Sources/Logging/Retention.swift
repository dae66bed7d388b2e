import Time

/// Which full files of a log need not stay. The oldest go first, and none stays behind one that goes.
struct Retention: Sendable, Equatable {
    /// Files.
    var keep = 30
    /// Since a file was last written; nil for ever.
    var keepAge: Milliseconds?
    /// Bytes of all files together, the one that is written counted as full; nil without end.
    var keepSize: Int?

    struct FullFile: Sendable, Equatable {
        let number: Int
        /// Bytes.
        let size: Int
        /// Milliseconds since 1970.
        let modified: Int64
    }

    /// - Parameters:
    ///   - files: from the oldest to the newest.
    ///   - room: bytes for the file that is written.
    func excess(
        of files: [FullFile], besides room: Int, _ now: Timestamp
    ) -> (files: ArraySlice<FullFile>, reason: StaticString?) {
        var count = max(0, files.count - keep)
        var reason: StaticString? = count > 0 ? "count" : nil
        if let keepAge {
            let old = files.prefix { file in
                Timestamp(milliseconds: file.modified) + keepAge <= now
            }
            if old.count > count { (count, reason) = (old.count, "age") }
        }
        if let keepSize {
            var total =
                files.reduce(room) { $0 + $1.size } - files[..<count].reduce(0) { $0 + $1.size }
            while count < files.count, total > keepSize {
                total -= files[count].size
                (count, reason) = (count + 1, "size")
            }
        }
        return (files[..<count], reason)
    }
}
