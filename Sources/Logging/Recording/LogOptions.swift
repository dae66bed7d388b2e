import Time

/// The operator's settings for the log.
package struct LogOptions: Sendable {
    package var level: Level = .info
    /// Levels of the areas that differ from `level`.
    package var areas: [Area: Level] = [:]
    package var format = LogFormat.text
    package var path: String
    /// The file's own level; nil: every event that `level` and `areas` admit.
    package var fileLevel: Level?
    /// The size in bytes at which the file is rotated.
    package var maximumSize = 10 * 1024 * 1024
    /// Whether a new day (UTC) starts a new file.
    package var rotatesDaily = false
    /// How many archives to keep, for how long, and how many bytes in total with the current file.
    package var maximumFiles = 30
    package var maximumAge: TimeAmount?
    package var maximumTotalSize: Int?
    /// Standard error's own level; nil: every event that `level` and `areas` admit.
    package var standardErrorLevel: Level? = .warning
    /// The audit log, a second file of evidence events only; nil for none.
    package var audit: Audit?
    /// Whether anyone can get a token of any user, as in the demo. A token is then no credential,
    /// and its client's lines are counted with those of clients without a token.
    package var tokensNeedNoPassword = false
    package var durability = Durability.written
    /// Nil if the log is not sealed.
    package var seal: Seal?
    /// The delay before a failed write is tried again: the first, and the longest.
    package var retryDelays = TimeAmount(milliseconds: 100)...TimeAmount.seconds(1)

    /// If lines younger than this are removed, the log reports that at WARNING.
    var leastHistory: TimeAmount?

    package init(path: String) { self.path = path }

    /// The operator's settings for the audit log. Format, seal, durability and retry delays are
    /// those of the log.
    package struct Audit: Sendable {
        package var path: String
        /// The lowest level; nil means INFO. It does not depend on `LogOptions.level`.
        package var level: Level?
        /// The size in bytes at which the file is rotated.
        package var maximumSize = 10 * 1024 * 1024
        /// How many archives to keep, for how long, and how many bytes in total with the current
        /// file.
        package var maximumFiles = 1000
        package var maximumAge: TimeAmount? = .seconds(365 * 86_400)
        package var maximumTotalSize: Int? = 1 << 30

        package init(path: String) { self.path = path }
    }

    /// The options of the audit log's own file; nil if there is none.
    ///
    /// Its lines are few, and a seal is longer than most of them. With at most one seal every ten
    /// seconds, seals take a tenth of the bytes that a flood of refusals may write.
    func ofAudit() -> LogOptions? {
        guard let audit else { return nil }
        var options = self
        options.path = audit.path
        options.maximumSize = audit.maximumSize
        options.rotatesDaily = false
        options.maximumFiles = audit.maximumFiles
        options.maximumAge = audit.maximumAge
        options.maximumTotalSize = audit.maximumTotalSize
        options.audit = nil
        options.leastHistory = .seconds(86_400)
        if let seal {
            options.seal = Seal(key: seal.key, interval: max(seal.interval, .seconds(10)))
        }
        return options
    }

    package enum Durability: String, Sendable, CaseIterable {
        /// Lines are in the file before the response is sent.
        case written
        /// Lines that change who has access are also on disk before the response is sent.
        case synced
    }

    package struct Seal: Sendable {
        package var key: SealKey
        /// The shortest time between two seals.
        package var interval: TimeAmount

        package init(key: SealKey, interval: TimeAmount = .seconds(1)) {
            self.key = key
            self.interval = interval
        }
    }
}
