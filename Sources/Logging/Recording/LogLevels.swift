import Synchronization

/// Which events are wanted: a level for all areas, and others for some. One atomic word, eight bits an
/// area, so that asking is one load and a change is seen by every thread.
@usableFromInline
package final class LogLevels: Sendable {
    @usableFromInline let thresholds: Atomic<UInt64>

    /// A level for the file, one for standard error, a bit for each area of which the file takes
    /// whatever is wanted at all, and a level for the audit log, which the others do not change.
    @usableFromInline let sinks: Atomic<UInt32>

    /// - Parameter audit: nil where there is no audit log.
    package init(
        all level: Level, areas: [Area: Level] = [:], file: Level = .debug,
        standardError: Level? = .debug, audit: Level? = nil
    ) {
        thresholds = Atomic(Self.packed(all: level, areas))
        sinks = Atomic(Self.packed(file, standardError, audit))
    }

    /// Whether the audit log takes it, if it is evidence. No level keeps out security events at WARNING
    /// and above.
    @inlinable
    func isForAudit(_ level: Level, _ area: Area) -> Bool {
        let threshold = UInt8(truncatingIfNeeded: sinks.load(ordering: .relaxed) &>> 24)
        return level.rawValue >= threshold
            || area == .security && level >= .warning && threshold != .max
    }

    /// Whether the file takes it, if it is wanted at all.
    func isForFile(_ level: Level, _ area: Area) -> Bool {
        let word = sinks.load(ordering: .relaxed)
        return level.rawValue >= UInt8(truncatingIfNeeded: word)
            || word & Self.bit(area) != 0 || area == .security && level >= .warning
    }

    /// The lowest level of standard error; nil if it takes whatever is wanted at all.
    package var standardError: Level? {
        Level(rawValue: UInt8(truncatingIfNeeded: sinks.load(ordering: .relaxed) >> 8))
    }

    func isForStandardError(_ level: Level) -> Bool {
        let floor = UInt8(truncatingIfNeeded: sinks.load(ordering: .relaxed) >> 8)
        return level.rawValue >= floor || floor == Self.noFloor
    }

    /// Standard error has no level of its own.
    var hasNoFloor: Bool { standardError == nil }

    private static var noFloor: UInt8 { 255 }

    /// Until the levels of the sinks are set again, the file takes all of these areas that is wanted.
    package func letThrough(_ areas: [Area]) {
        let bits = areas.reduce(0) { $0 | Self.bit($1) }
        sinks.bitwiseOr(bits, ordering: .relaxed)
    }

    private static func bit(_ area: Area) -> UInt32 { 1 << (16 + UInt32(area.rawValue)) }

    package func set(file: Level, standardError: Level?, audit: Level? = nil) {
        sinks.store(Self.packed(file, standardError, audit), ordering: .relaxed)
    }

    /// No level of the audit log is 255, which no event reaches.
    private static func packed(
        _ file: Level, _ standardError: Level?, _ audit: Level?
    ) -> UInt32 {
        UInt32(file.rawValue) | UInt32(standardError?.rawValue ?? noFloor) << 8
            | UInt32(audit?.rawValue ?? .max) << 24
    }

    /// The level of an area.
    package func level(of area: Area) -> Level {
        let word = thresholds.load(ordering: .relaxed)
        // Sound: nothing else is stored.
        return Level(rawValue: UInt8(truncatingIfNeeded: word >> UInt64(area.rawValue * 8)))!
    }

    /// The lowest level of the file and of the audit log; nil where there is no audit log.
    package var floors: (file: Level, audit: Level?) {
        let word = sinks.load(ordering: .relaxed)
        // Sound: nothing else is stored.
        return (
            Level(rawValue: UInt8(truncatingIfNeeded: word))!,
            Level(rawValue: UInt8(truncatingIfNeeded: word >> 24))
        )
    }

    package func set(all level: Level, areas: [Area: Level]) {
        thresholds.store(Self.packed(all: level, areas), ordering: .relaxed)
    }

    /// Security events at WARNING and above cannot be switched off: an operator who turns the log
    /// down must not turn down the evidence.
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
