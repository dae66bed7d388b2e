import Logging

/// Events of the config area: changes of the configuration and their outcome. They contain the
/// names of keys, but no values.

/// `config_warning`: a finding about the configuration for the operator.
struct ConfigurationWarning: LogEvent {
    let problem: ConfigurationProblem
    var level: Level { .warning }
    var area: Area { .config }
    var name: StaticString { "config_warning" }

    func write(to line: inout LogLine) {
        line.field("key", problem.path)
        line.field("reason", problem.message)
    }
}

/// `config_reload`: the configuration was read again and is in effect.
struct ConfigurationReloaded: LogEvent {
    /// The keys whose values have changed.
    let changed: [String]
    var level: Level { .warning }
    var area: Area { .config }
    var name: StaticString { "config_reload" }

    func write(to line: inout LogLine) {
        line.field("changed", changed.joined(separator: ","))
    }
}

/// `config_reload_fail`: the configuration was read again and has this problem. Nothing has
/// changed.
struct ConfigurationReloadFailed: LogEvent {
    let problem: ConfigurationProblem
    var level: Level { .error }
    var area: Area { .config }
    var name: StaticString { "config_reload_fail" }

    func write(to line: inout LogLine) {
        line.field("key", problem.path)
        line.field("reason", problem.redacted)
    }
}

/// `log_level_changed`: an operator has changed a level.
struct LevelChanged: LogEvent {
    /// Nil for all areas.
    let changed: Area?
    let from: Level
    let to: Level
    var level: Level { .warning }
    var area: Area { .config }
    var name: StaticString { "log_level_changed" }

    func write(to line: inout LogLine) {
        line.field("key", changed.map { "log.areas.\($0.name)" } ?? "log.level")
        line.field("from", from.name)
        line.field("to", to.name)
    }
}
