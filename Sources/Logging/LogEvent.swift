/// Something that happened, as a value. It is asked for its fields only when its line is wanted.
package protocol LogEvent: Sendable {
    var level: Level { get }
    var area: Area { get }
    /// The name of the CONTRACT's table: a word that never changes, for programs to look for.
    var name: StaticString { get }
    /// Appends the fields, in order. May be called twice, and says the same both times.
    func write(to line: inout LogLine)
}
