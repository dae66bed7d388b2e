import Testing

extension Tag {
    /// Marks a test whose result depends on real time, and so on the load of the machine. Only
    /// these tests may be run a second time when they fail.
    @Tag package static var timing: Self
}
