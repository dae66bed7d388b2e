import Time

/// Lines that the file writes about itself, before the lines that come next. Each is also reported
/// to standard error, by the logger.
struct FileNotices {
    /// Formatted lines that are not in the file yet.
    private(set) var lines: [UInt8] = []
    private var events: [any LogEvent] = []

    mutating func append(_ event: some LogEvent, at now: Timestamp, _ format: LogFormat) {
        lines += LogLine.formatted(event, at: now, format)
        events.append(event)
    }

    /// Adds the first line of a file.
    mutating func prepend(_ event: some LogEvent, at now: Timestamp, _ format: LogFormat) {
        lines = LogLine.formatted(event, at: now, format) + lines
        events.append(event)
    }

    mutating func removeFirst(_ count: Int) { lines.removeFirst(count) }

    /// The events since this was last called.
    mutating func takeEvents() -> [any LogEvent] {
        defer { events = [] }
        return events
    }
}
