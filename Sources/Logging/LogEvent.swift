/// Something that happened, as a value. It is asked for its fields only when its line is wanted.
@usableFromInline
package protocol LogEvent: Sendable {
    var level: Level { get }
    var area: Area { get }
    /// A word that never changes, for programs to look for.
    var name: StaticString { get }
    /// Whether it is about who may come in from now on: where the operator wants it, such a line is on
    /// the disk before anybody is answered.
    var isPivotal: Bool { get }
    /// What makes another event a repeat of this one; nil where each has to have its line.
    var repetition: Repetition? { get }
    /// Appends the fields, in order. May be called twice, and says the same both times.
    func write(to line: inout LogLine)
}

extension LogEvent {
    package var isPivotal: Bool { false }
    package var repetition: Repetition? { nil }
}
