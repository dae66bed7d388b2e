import Logging

/// Finds levels without effect: another level removes every event that they would let through.
enum LevelCheck {
    static func warnings(_ log: LogOptions) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        let areas = Area.allCases.map { (area: $0, level: log.areas[$0] ?? log.level) }
        let wanted = areas.map(\.level).min() ?? log.level

        // A sink's level has no effect if no area lets events of that level through.
        for (setting, floor) in [
            ("log.file.level", log.fileLevel), ("log.stderr.level", log.standardErrorLevel),
        ] {
            if let floor, floor < wanted {
                problems.append(
                    ConfigurationProblem(
                        path: setting,
                        message: "\(floor.name) has no effect: log.level and log.areas let "
                            + "nothing below \(wanted.name) through; lower log.level"))
            }
        }
        if log.audit?.level == .debug {
            problems.append(
                ConfigurationProblem(
                    path: "log.audit.level",
                    message: "DEBUG has no effect: no event of the audit log is below INFO; "
                        + "leave it out"))
        }

        // An area's level has no effect if no sink writes events of that level.
        guard let file = log.fileLevel, let standardError = log.standardErrorLevel else {
            return problems
        }
        let lowest = min(file, standardError)
        if log.level < lowest, Area.allCases.contains(where: { log.areas[$0] == nil }) {
            problems.append(unseen("log.level", log.level, lowest))
        }
        for (area, level) in areas where log.areas[area] != nil && level < lowest {
            problems.append(unseen("log.areas.\(area.name)", level, lowest))
        }
        return problems
    }

    private static func unseen(_ setting: String, _ level: Level, _ lowest: Level)
        -> ConfigurationProblem
    {
        ConfigurationProblem(
            path: setting,
            message: "\(level.name) has no effect: log.file.level and log.stderr.level write "
                + "nothing below \(lowest.name); lower log.file.level or leave it out")
    }
}
