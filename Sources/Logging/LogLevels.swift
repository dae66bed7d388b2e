import Synchronization

/// Which events are wanted: a level for all areas, and others for some. One atomic word, eight bits an
/// area, so that asking is one load and a change is seen by every thread.
@usableFromInline
package final class LogLevels: Sendable {
    @usableFromInline let thresholds: Atomic<UInt64>

    private let sinks: Atomic<UInt16>

    package init(
        all level: Level, areas: [Area: Level] = [:], file: Level = .debug,
        standardError: Level = .debug
    ) {
        thresholds = Atomic(Self.packed(all: level, areas))
        sinks = Atomic(Self.packed(file, standardError))
    }

    /// What goes to each of the two, of what is wanted at all.
    package var file: Level { Self.level(sinks.load(ordering: .relaxed)) }
    package var standardError: Level { Self.level(sinks.load(ordering: .relaxed) >> 8) }

    package func set(file: Level, standardError: Level) {
        sinks.store(Self.packed(file, standardError), ordering: .relaxed)
    }

    private static func packed(_ file: Level, _ standardError: Level) -> UInt16 {
        UInt16(file.rawValue) | UInt16(standardError.rawValue) << 8
    }

    private static func level(_ word: UInt16) -> Level {
        // Sound: nothing else is stored.
        Level(rawValue: UInt8(truncatingIfNeeded: word))!
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
