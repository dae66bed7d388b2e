import Logging

/// Selects lines. A line must match every property that is not empty, and one of its values.
package struct LogFilter: Sendable {
    /// The minimum level; the lowest of several counts.
    package var levels: [Level] = []
    package var areas: [Area] = []
    package var events: [String] = []
    /// Values of the field `user`.
    package var users: [String] = []

    package init() {}

    var isEmpty: Bool { levels.isEmpty && areas.isEmpty && events.isEmpty && users.isEmpty }

    func accepts(_ entry: borrowing LogEntry) -> Bool {
        if let least = levels.min(), entry.level < least { return false }
        if !areas.isEmpty, !areas.contains(entry.area) { return false }
        if !events.isEmpty, !Self.contains(events, entry.event) { return false }
        guard !users.isEmpty else { return true }
        var isFound = false
        entry.forEachField { name, value in
            isFound = isFound || name.isEqual("user") && Self.contains(users, value)
        }
        return isFound
    }

    private static func contains(_ names: [String], _ bytes: Span<UInt8>) -> Bool {
        names.contains { name in
            guard name.utf8.count == bytes.count else { return false }
            return zip(name.utf8, bytes.indices).allSatisfy { $0 == bytes[$1] }
        }
    }
}
