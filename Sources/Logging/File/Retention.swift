import Time

/// Which full files of a log need not stay. The oldest go first, and none stays behind one that goes.
struct Retention: Sendable, Equatable {
    /// Files.
    var maximumFiles = 30
    /// Since a file was last written; nil for ever.
    var maximumAge: TimeAmount?
    /// Bytes of all files together, the one that is written counted as full; nil without end.
    var maximumTotalSize: Int?

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
    /// - Returns: what goes, and why the last of it does.
    func excess(
        of files: [FullFile], besides room: Int, _ now: Timestamp
    ) -> (files: ArraySlice<FullFile>, reason: StaticString?) {
        var count = 0
        var reason: StaticString?
        var total = files.reduce(room) { $0 + $1.size }
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
