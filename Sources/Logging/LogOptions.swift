/// What an operator chooses about the log.
package struct LogOptions: Sendable {
    package var level: Level = .info
    /// Levels of areas that differ from `level`.
    package var areas: [Area: Level] = [:]
    package var path: String
    package var fileLevel: Level = .info
    /// Bytes.
    package var maximumSize = 10 * 1024 * 1024
    /// Full files that stay.
    package var keep = 30
    package var standardErrorLevel: Level = .warning

    package init(path: String) { self.path = path }
}
