import Logging

/// The config area of the log: what the operator decides, and what came of it. Keys are named, values
/// never.

/// `config_warning`: something that an operator should know about the configuration.
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

/// `config_reload`: the configuration was read again, and counts from now on.
struct ConfigurationReloaded: LogEvent {
    /// The keys whose values are others than before.
    let changed: [String]
    var level: Level { .warning }
    var area: Area { .config }
    var name: StaticString { "config_reload" }

    func write(to line: inout LogLine) {
        line.field("changed", changed.joined(separator: ","))
    }
}

/// `config_reload_fail`: it was read again, is wrong, and nothing has changed.
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

/// `log_level_changed`
struct LevelChanged: LogEvent {
    /// Nil for all of them.
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
