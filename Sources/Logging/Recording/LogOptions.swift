import Time

/// What an operator chooses about the log.
package struct LogOptions: Sendable {
    package var level: Level = .info
    /// Levels of areas that differ from `level`.
    package var areas: [Area: Level] = [:]
    package var format = LogFormat.text
    package var path: String
    /// The lowest level of the file; nil: whatever `level` and `areas` let through.
    package var fileLevel: Level?
    /// Bytes.
    package var maximumSize = 10 * 1024 * 1024
    /// Whether a new day (UTC) begins a new file.
    package var rotatesDaily = false
    /// Full files that stay: how many, how long, and how many bytes of them and the current one.
    package var maximumFiles = 30
    package var maximumAge: TimeAmount?
    package var maximumTotalSize: Int?
    /// The lowest level of standard error; nil: whatever `level` and `areas` let through.
    package var standardErrorLevel: Level? = .warning
    /// The second file, of evidence events alone; nil for none.
    package var audit: Audit?
    /// Whether anyone can have a token of any user, as in the demo. Then a token is no credential, and
    /// the lines of its client are counted with those of clients that show none.
    package var tokensNeedNoPassword = false
    package var durability = Durability.written
    /// Nil for a log without seals.
    package var seal: Seal?
    /// How long to wait before a write that failed is tried again: at first, and at most.
    package var retryDelays = TimeAmount(milliseconds: 100)...TimeAmount.seconds(1)

    /// A log that has to remove lines younger than this says so at WARNING.
    var leastHistory: TimeAmount?

    package init(path: String) { self.path = path }

    /// What an operator chooses about the audit log. Format, seal, durability and retry delays are
    /// those of the log.
    package struct Audit: Sendable {
        package var path: String
        /// The lowest level; nil is INFO. It does not depend on `LogOptions.level`.
        package var level: Level?
        /// Bytes.
        package var maximumSize = 10 * 1024 * 1024
        /// Full files that stay: how many, how long, and how many bytes of them and the current one.
        package var maximumFiles = 1000
        package var maximumAge: TimeAmount? = .seconds(365 * 86_400)
        package var maximumTotalSize: Int? = 1 << 30

        package init(path: String) { self.path = path }
    }

    /// What the audit log's own file is opened with; nil if there is none.
    ///
    /// It has few lines, and a seal is longer than most: with one every ten seconds at most, seals are a
    /// tenth of what a flood of refusals may write.
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
        /// Lines are in the file before the answer.
        case written
        /// And on the disk, where they are about who may come in from now on.
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
