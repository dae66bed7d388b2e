import Synchronization

/// Which events are wanted: a level for all areas, and others for some. One atomic word, eight bits an
/// area, so that asking is one load and a change is seen by every thread.
@usableFromInline
package final class LogLevels: Sendable {
    @usableFromInline let thresholds: Atomic<UInt64>

    /// A level for the file, one for standard error, and a bit for each area of which the file takes
    /// whatever is wanted at all.
    private let sinks: Atomic<UInt32>

    package init(
        all level: Level, areas: [Area: Level] = [:], file: Level = .debug,
        standardError: Level = .debug
    ) {
        thresholds = Atomic(Self.packed(all: level, areas))
        sinks = Atomic(Self.packed(file, standardError))
    }

    /// Whether the file takes it, if it is wanted at all.
    func isForFile(_ level: Level, _ area: Area) -> Bool {
        let word = sinks.load(ordering: .relaxed)
        return level.rawValue >= UInt8(truncatingIfNeeded: word)
            || word & Self.bit(area) != 0 || area == .security && level >= .warning
    }

    package var standardError: Level {
        // Sound: nothing else is stored.
        Level(rawValue: UInt8(truncatingIfNeeded: sinks.load(ordering: .relaxed) >> 8))!
    }

    /// Until the levels of the sinks are set again, the file takes all of these areas that is wanted.
    package func letThrough(_ areas: [Area]) {
        let bits = areas.reduce(0) { $0 | Self.bit($1) }
        sinks.bitwiseOr(bits, ordering: .relaxed)
    }

    private static func bit(_ area: Area) -> UInt32 { 1 << (16 + UInt32(area.rawValue)) }

    package func set(file: Level, standardError: Level) {
        sinks.store(Self.packed(file, standardError), ordering: .relaxed)
    }

    private static func packed(_ file: Level, _ standardError: Level) -> UInt32 {
        UInt32(file.rawValue) | UInt32(standardError.rawValue) << 8
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
