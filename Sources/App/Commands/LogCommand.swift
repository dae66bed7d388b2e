import Audit
import Glibc
import JWT
import Logging
import POSIX
import Time

/// `gatehouse log …`: shows logs and verifies them. Without files it works on both logs of the
/// configuration, or on the first alone if events would be counted or shown twice.
struct LogCommand {
    private enum Verb: String { case verify, head, stats, tail }

    private var verb = Verb.verify
    private var files: [String] = []
    private var anchors: [SealHead] = []
    private(set) var keyFiles: [String] = []
    private var asJSON = false
    /// Work on the audit log instead.
    private var isAboutAudit = false
    private var since: Timestamp?
    private var lines = 10
    private var follows = true
    private var filter = LogFilter()
    /// Users that the filter names by user name.
    private var users: [NamedUser] = []

    /// The log files that the command line names.
    var namedFiles: [String] { files.filter { $0 != "-" } }

    /// Returns nil if help was requested.
    /// - Parameter rest: the arguments after `log`.
    init?(
        _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(GatehouseCommand.UsageError) {
        var verb: Verb?
        while let argument = rest.popFirst() {
            switch (verb, argument) {
            case (_, "--help"), (_, "-h"): return nil
            case (_, "--config"): configurationPath = try rest.value(of: argument)
            case (nil, _):
                guard let named = Verb(rawValue: argument) else {
                    throw GatehouseCommand.UsageError(
                        sentence:
                            "log: unknown subcommand \(argument); write log verify, head, stats or "
                            + "tail"
                    )
                }
                verb = named
            case (.verify, "--anchor"):
                let text = try rest.value(of: argument)
                // There are several if the argument is the complete output of `log head`.
                let parts = text.split(whereSeparator: \.isWhitespace).map(String.init)
                for part in parts.isEmpty ? [text] : parts {
                    guard let anchor = SealHead(part) else {
                        throw GatehouseCommand.UsageError(
                            sentence:
                                "\"\(text)\" is not an anchor; write SEQ.MAC as printed by log head"
                        )
                    }
                    anchors.append(anchor)
                }
            case (.verify, "--key-file"): keyFiles.append(try rest.value(of: argument))
            case (.verify, "--json"), (.stats, "--json"): asJSON = true
            case (.stats, "--since"):
                let text = try rest.value(of: argument)
                guard let moment = Timestamp(since: text, now: WallClock.system.now()) else {
                    throw GatehouseCommand.UsageError(
                        sentence: "\"\(text)\" is not a time; write 30m, 7d or 2026-11-21T07:00:00Z"
                    )
                }
                since = moment
            case (.stats, "--audit"), (.tail, "--audit"), (.head, "--audit"),
                (.verify, "--audit"):
                isAboutAudit = true
            case (.tail, _) where argument.hasPrefix("-"):
                try readTailOption(argument, &rest)
            case (.tail, _) where files.isEmpty: files.append(argument)
            case (.verify, _), (.stats, _):
                guard argument == "-" || !argument.hasPrefix("-") else {
                    throw GatehouseCommand.UsageError(sentence: "unknown argument: \(argument)")
                }
                files.append(argument)
            default: throw GatehouseCommand.UsageError(sentence: "unknown argument: \(argument)")
            }
        }
        guard let verb else {
            throw GatehouseCommand.UsageError(
                sentence: "log: missing subcommand; write log verify, head, stats or tail")
        }
        self.verb = verb
    }

    private mutating func readTailOption(
        _ option: String, _ rest: inout ArraySlice<String>
    ) throws(GatehouseCommand.UsageError) {
        if option == "--no-follow" {
            follows = false
            return
        }
        if option == "--username" {
            users.append(try rest.namedUser(of: option))
            return
        }
        let text = try rest.value(of: option)
        switch option {
        case "--lines":
            guard let count = Int(text), (0...1_000_000).contains(count) else {
                throw GatehouseCommand.UsageError(
                    sentence: "--lines: \(text) is not a number from 0 to 1000000")
            }
            lines = count
        case "--level":
            guard let level = Level(name: text) else {
                throw GatehouseCommand.UsageError(
                    sentence:
                        "--level: unknown level \(text); write DEBUG, INFO, WARNING, ERROR or "
                        + "CRITICAL"
                )
            }
            filter.levels.append(level)
        case "--area":
            guard let area = Area(name: text) else {
                throw GatehouseCommand.UsageError(
                    sentence:
                        "--area: unknown area \(text); write app, http, security, log or config")
            }
            filter.areas.append(area)
        case "--event": filter.events.append(text)
        case "--user": filter.users.append(text)
        default: throw GatehouseCommand.UsageError(sentence: "unknown argument: \(option)")
        }
    }

    // MARK: Running

    /// - Parameter isConfigured: whether a configuration file was given.
    func run(
        _ configuration: Configuration, isConfigured: Bool, _ environment: [String: String]
    ) -> GatehouseCommand.ExitCode {
        if isAboutAudit, configuration.log.audit == nil {
            GatehouseCommand.printError("log.audit: null, so there is no audit log; omit --audit")
            return verb == .verify ? .indeterminate : .noInput
        }
        switch verb {
        case .verify: return verify(configuration, isConfigured: isConfigured)
        case .head: return head(configuration)
        case .stats: return stats(configuration)
        case .tail: return tail(configuration, environment)
        }
    }

    /// The paths of the logs for a command without files; a single one with `--audit`.
    private func logs(_ configuration: Configuration) -> [String] {
        let audit = configuration.log.audit?.path
        if isAboutAudit { return [audit].compactMap(\.self) }
        return [configuration.log.path, audit].compactMap(\.self)
    }

    private func verify(
        _ configuration: Configuration, isConfigured: Bool
    ) -> GatehouseCommand.ExitCode {
        var keys = SealKeys.current(configuration, making: false)
        var earlier = SealKeys.previous(configuration)
        // The demo's random key is not used if the command line names a key.
        let areInUse =
            !isConfigured && configuration.keysAreTemporary && configuration.sealSecret == nil
        if areInUse, !keyFiles.isEmpty { (earlier, keys) = (keys, []) }
        for path in keyFiles {
            do throws(ConfigurationProblem) {
                let key = try SealKeys.read(path)
                if areInUse { keys.append(key) } else { earlier.append(key) }
            } catch {
                GatehouseCommand.printError("\(error)")
                return .indeterminate
            }
        }
        guard !keys.isEmpty || !earlier.isEmpty else {
            GatehouseCommand.printError(
                "no key to verify the log; give the configuration with --config or a key with "
                    + "--key-file"
            )
            return .indeterminate
        }
        let verifier = LogVerifier(keys: keys, earlier: earlier, anchors: anchors)
        let reports: VerificationReports
        if files.isEmpty {
            reports = verifier.verify(logs: logs(configuration))
        } else {
            reports = verifier.verify(groups: groups(configuration))
        }
        StandardOutput.write(
            asJSON ? String(decoding: reports.json, as: UTF8.self) + "\n" : reports.text)
        return GatehouseCommand.ExitCode(rawValue: reports.exitCode) ?? .software
    }

    /// Splits the named files into one group per log: the audit log has a chain of its own.
    private func groups(_ configuration: Configuration) -> [[String]] {
        guard let audit = configuration.log.audit.map({ LogFileNames.base(of: $0.path) }) else {
            return [files]
        }
        let log = LogFileNames.base(of: configuration.log.path)
        func isOf(_ log: String, _ path: String) -> Bool {
            let name = LogFileNames.base(of: path)
            return name == log || name.hasPrefix(log + ".") || name.hasPrefix(log + "-")
        }
        // If one name begins with the other, the longer one matches.
        let audits = files.filter {
            isOf(audit, $0) && !(log.count > audit.count && isOf(log, $0))
        }
        let others = files.filter { !audits.contains($0) }
        return [others, audits].filter { !$0.isEmpty }
    }

    /// Prints one line per log.
    private func head(_ configuration: Configuration) -> GatehouseCommand.ExitCode {
        var code = GatehouseCommand.ExitCode.success
        for log in logs(configuration) {
            let result = head(of: log, configuration)
            if result != .success { code = result }
        }
        return code
    }

    /// The state file is written once per second, so the log may be newer than it, but never older.
    private func head(of log: String, _ configuration: Configuration) -> GatehouseCommand.ExitCode {
        let path = LogState.path(of: log)
        do throws(Errno) {
            let inUse = SealKeys.current(configuration, making: false)
            for (index, key) in (inUse + SealKeys.previous(configuration)).enumerated() {
                guard let state = try LogState.read(from: path, key) else { continue }
                if index >= inUse.count {
                    GatehouseCommand.printError(
                        "\(path): written with an earlier key; the server has not run with the new "
                            + "one yet"
                    )
                }
                StandardOutput.show(state.head.text)
                return .success
            }
            GatehouseCommand.printError(
                "\(path): not written with a known key; name the configuration with --config")
        } catch {
            GatehouseCommand.printError(
                "\(path): \(ReadingError(opening: path, .configured, error).reason)")
        }
        return .noInput
    }

    /// The IDs of the keys that decide which files are part of a log.
    private func keyIDs(_ configuration: Configuration) -> [String] {
        (SealKeys.current(configuration, making: false) + SealKeys.previous(configuration)).map(
            \.id)
    }

    /// Reads one log only, because the log contains the events of the audit log, too.
    private func stats(_ configuration: Configuration) -> GatehouseCommand.ExitCode {
        let log = logs(configuration)[0]
        var options = LogStatistics.Options(
            files: files.isEmpty
                ? .log(path: log, keyIDs: keyIDs(configuration)) : .named(files))
        options.since = since
        options.asJSON = asJSON
        do throws(ReadingError) {
            try LogStatistics.run(options, to: 1)
            return .success
        } catch {
            return Self.failure(error)
        }
    }

    private func tail(
        _ configuration: Configuration, _ environment: [String: String]
    ) -> GatehouseCommand.ExitCode {
        var options =
            files.first.map { LogTail.Options(path: $0, .named) }
            ?? LogTail.Options(path: logs(configuration)[0])
        options.keyIDs = keyIDs(configuration)
        options.lines = lines
        options.follow = follows
        options.isColored = isatty(1) == 1 && environment["NO_COLOR", default: ""].isEmpty
        options.filter = filter
        for user in users {
            do throws(NamedUser.Failure) {
                options.filter.users.append("\(try user.id(configuration).rawValue)")
            } catch {
                return error.report(VisibleText(environment))
            }
        }
        do throws(ReadingError) {
            try LogTail.run(options, to: 1)
            return .success
        } catch {
            return Self.failure(error)
        }
    }

    private static func failure(_ error: ReadingError) -> GatehouseCommand.ExitCode {
        GatehouseCommand.printError(error.sentence)
        return error.isOfOutput ? .inputOutput : .noInput
    }
}
