import Time

/// What an operator chooses about the log.
package struct LogOptions: Sendable {
    package var level: Level = .info
    /// Levels of areas that differ from `level`.
    package var areas: [Area: Level] = [:]
    package var format = LogFormat.text
    package var path: String
    package var fileLevel: Level = .info
    /// Bytes.
    package var maximumSize = 10 * 1024 * 1024
    /// Whether a new day (UTC) begins a new file.
    package var rotatesDaily = false
    /// Full files that stay: how many, how long, and how many bytes of them and the current one.
    package var keep = 30
    package var keepAge: Milliseconds?
    package var keepSize: Int?
    package var standardErrorLevel: Level = .warning
    package var durability = Durability.written
    /// Nil for a log without seals.
    package var seal: Seal?
    /// How long to wait before a write that failed is tried again: at first, and at most.
    package var retryDelays = Milliseconds(100)...Milliseconds.seconds(1)

    package init(path: String) { self.path = path }

    package enum Durability: String, Sendable, CaseIterable {
        /// Lines are in the file before the answer.
        case written
        /// And on the disk, where they are about who may come in from now on.
        case synced
    }

    package struct Seal: Sendable {
        package var key: SealKey
        /// The shortest time between two seals.
        package var interval: Milliseconds

        package init(key: SealKey, interval: Milliseconds = .seconds(1)) {
            self.key = key
            self.interval = interval
        }
    }
}
