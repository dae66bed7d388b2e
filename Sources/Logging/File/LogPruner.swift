import Time

/// Selects the archives that retention removes. They are removed in two steps: a `log_retention`
/// line is written and sealed, and after the next sync the files are removed. So no archive
/// disappears without evidence.
struct LogPruner {
    private static let interval = TimeAmount.seconds(3600)

    private(set) var filesToRemove: [Int] = []
    /// The line about them is sealed.
    var isSealed = false
    /// The approximate time of the oldest remaining line; nil until a file is removed.
    private(set) var oldest: Timestamp?
    private var lastRun: Timestamp

    init(at now: Timestamp) { lastRun = now }

    /// Whether it is time to select, although no rotation has asked.
    func isDue(at now: Timestamp) -> Bool { now < lastRun || lastRun + Self.interval <= now }

    /// Archives that can be removed once the current changes are on disk.
    var removable: [Int] { isSealed ? filesToRemove : [] }

    mutating func noteRun(at now: Timestamp) { lastRun = now }

    /// - Returns: the last archive that is to go and the limit that it exceeds; nil if none does.
    mutating func select(
        from archives: [Retention.Archive], _ options: RotatingFile.Options, _ now: Timestamp
    ) -> (last: Retention.Archive, reason: StaticString)? {
        let excess = options.retention.excess(of: archives, besides: options.maximumSize, now)
        guard let reason = excess.reason, let last = excess.files.last else { return nil }
        filesToRemove = excess.files.map(\.number)
        isSealed = false
        oldest = Timestamp(milliseconds: min(last.modified, now.milliseconds))
        return (last, reason)
    }

    mutating func didRemove(_ numbers: [Int]) {
        // During the sync a rotation may have removed these, and selected others.
        guard filesToRemove == numbers else { return }
        filesToRemove = []
        isSealed = false
    }
}
