/// Something that happened, as a value. It is asked for its fields only when its line is wanted.
@usableFromInline
package protocol LogEvent: Sendable {
    var level: Level { get }
    var area: Area { get }
    /// A word that never changes, for programs to look for.
    var name: StaticString { get }
    /// Whether it is about who may come in from now on: where the operator wants it, such a line is on
    /// the disk before anybody is answered.
    var affectsAccess: Bool { get }
    /// Whether there is one for each request that goes well. Standard error gets these only where it has
    /// a level of its own that lets them through: a second copy would cost as much as the request.
    var isPerRequest: Bool { get }
    /// What caused it, if a client can cause it as often as it likes: then the log limits how many
    /// lines there are. Nil where each has to have its line.
    var source: LogSource? { get }
    /// Whether it belongs to the audit log.
    var evidence: Evidence { get }
    /// Appends the fields, in order. May be called twice, and says the same both times.
    func write(to line: inout LogLine)
}

extension LogEvent {
    package var affectsAccess: Bool { false }
    package var isPerRequest: Bool { false }
    package var source: LogSource? { nil }
    /// What is about security, what is grave, and what changes what is recorded.
    package var evidence: Evidence {
        level >= .warning || area == .security || area == .config ? .yes : .no
    }
}
