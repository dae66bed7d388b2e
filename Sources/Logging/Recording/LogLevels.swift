import Synchronization

/// The levels of all areas in one atomic word with eight bits an area, so that a check is one load
/// and every thread sees a change.
@usableFromInline
package final class LogLevels: Sendable {
    @usableFromInline let thresholds: Atomic<UInt64>

    /// The levels of the sinks, packed: bits 0 to 7 the file's; 8 to 15 standard error's; 16 to 23
    /// one bit an area, set if the file's level is disabled for it; 24 to 31 the audit log's.
    @usableFromInline let sinks: Atomic<UInt32>

    /// - Parameter audit: Nil if there is no audit log.
    package init(
        all level: Level, areas: [Area: Level] = [:], file: Level = .debug,
        standardError: Level? = .debug, audit: Level? = nil
    ) {
        thresholds = Atomic(Self.packed(all: level, areas))
        sinks = Atomic(Self.packed(file, standardError, audit))
    }

    /// Whether the audit log's level admits an event that is evidence. Security events at WARNING
    /// and above are always admitted if there is an audit log.
    @inlinable
    func isForAudit(_ level: Level, _ area: Area) -> Bool {
        let threshold = UInt8(truncatingIfNeeded: sinks.load(ordering: .relaxed) &>> 24)
        return level.rawValue >= threshold
            || area == .security && level >= .warning && threshold != .max
    }

    /// Whether the file's level admits an event that its area admits.
    func isForFile(_ level: Level, _ area: Area) -> Bool {
        let word = sinks.load(ordering: .relaxed)
        return level.rawValue >= UInt8(truncatingIfNeeded: word)
            || word & Self.bit(area) != 0 || area == .security && level >= .warning
    }

    /// Standard error's own level; nil if it has none and gets every event that its area admits.
    package var standardError: Level? {
        Level(rawValue: UInt8(truncatingIfNeeded: sinks.load(ordering: .relaxed) >> 8))
    }

    func isForStandardError(_ level: Level) -> Bool {
        let floor = UInt8(truncatingIfNeeded: sinks.load(ordering: .relaxed) >> 8)
        return level.rawValue >= floor || floor == Self.noFloor
    }

    /// Whether standard error has no level of its own.
    var hasNoOwnLevel: Bool { standardError == nil }

    private static var noFloor: UInt8 { 255 }

    /// Disables the file's level for these areas, until `set(file:standardError:audit:)` is called:
    /// every event that its area admits is written.
    package func disableFileLevel(_ areas: [Area]) {
        let bits = areas.reduce(0) { $0 | Self.bit($1) }
        sinks.bitwiseOr(bits, ordering: .relaxed)
    }

    private static func bit(_ area: Area) -> UInt32 { 1 << (16 + UInt32(area.rawValue)) }

    package func set(file: Level, standardError: Level?, audit: Level? = nil) {
        sinks.store(Self.packed(file, standardError, audit), ordering: .relaxed)
    }

    /// A missing audit level is 255, which no event reaches.
    private static func packed(
        _ file: Level, _ standardError: Level?, _ audit: Level?
    ) -> UInt32 {
        UInt32(file.rawValue) | UInt32(standardError?.rawValue ?? noFloor) << 8
            | UInt32(audit?.rawValue ?? .max) << 24
    }

    /// The level of an area.
    /// - Complexity: One atomic load.
    package func level(of area: Area) -> Level {
        let word = thresholds.load(ordering: .relaxed)
        // Sound: only valid levels are stored.
        return Level(rawValue: UInt8(truncatingIfNeeded: word >> UInt64(area.rawValue * 8)))!
    }

    /// The levels of the file and of the audit log; nil if there is no audit log.
    package var sinkLevels: (file: Level, audit: Level?) {
        let word = sinks.load(ordering: .relaxed)
        // Sound: only valid levels are stored.
        return (
            Level(rawValue: UInt8(truncatingIfNeeded: word))!,
            Level(rawValue: UInt8(truncatingIfNeeded: word >> 24))
        )
    }

    package func set(all level: Level, areas: [Area: Level]) {
        thresholds.store(Self.packed(all: level, areas), ordering: .relaxed)
    }

    /// Whether the level of the area admits an event. Security events at WARNING and above are
    /// always admitted: lowering the log's volume must not remove evidence.
    @inlinable
    package func isEnabled(_ level: Level, _ area: Area) -> Bool {
        let word = thresholds.load(ordering: .relaxed)
        let threshold = UInt8(truncatingIfNeeded: word &>> UInt64(area.rawValue &* 8))
        return level.rawValue >= threshold || area == .security && level >= .warning
    }

    private static func packed(all level: Level, _ areas: [Area: Level]) -> UInt64 {
        Area.allCases.reduce(0) { word, area in
            word | UInt64((areas[area] ?? level).rawValue) << UInt64(area.rawValue * 8)
        }
    }
}
