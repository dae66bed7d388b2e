/// Something that happened, as a value. Its fields are formatted only if its line is wanted.
@usableFromInline
package protocol LogEvent: Sendable {
    var level: Level { get }
    var area: Area { get }
    /// A constant name for programs to search for.
    var name: StaticString { get }
    /// Whether it changes who has access. With `log.durability: synced` such a line is on disk
    /// before the response is sent.
    var affectsAccess: Bool { get }
    /// Whether every successful request has such an event. Standard error gets these only if it has
    /// a level of its own that admits them: a second copy would cost as much as the request.
    var isPerRequest: Bool { get }
    /// The cause, if clients can cause the event without limit; the log then limits its lines. Nil
    /// if every event must have its line.
    var source: LogSource? { get }
    /// Whether it belongs to the audit log.
    var evidence: Evidence { get }
    /// Appends the fields, in order. May be called twice, and must append the same fields both
    /// times.
    func write(to line: inout LogLine)
}

extension LogEvent {
    package var affectsAccess: Bool { false }
    package var isPerRequest: Bool { false }
    package var source: LogSource? { nil }
    /// Events about security, events at WARNING and above, and changes of what is recorded.
    package var evidence: Evidence {
        level >= .warning || area == .security || area == .config ? .yes : .no
    }
}
