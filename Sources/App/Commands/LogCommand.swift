import Audit
import Glibc
import JWT
import Logging
import POSIX
import Time

/// `gatehouse log …`: what a log says, and whether it can be believed. Without files it is about
/// both logs of the configuration, or about the first where events would be counted or shown twice.
struct LogCommand {
    private enum Verb: String { case verify, head, stats, tail }

    private var verb = Verb.verify
    private var files: [String] = []
    private var anchors: [SealHead] = []
    private(set) var keyFiles: [String] = []
    private var asJSON = false
    /// The audit log in place of the log.
    private var isAboutAudit = false
    private var since: Timestamp?
    private var lines = 10
    private var follows = true
    private var filter = LogFilter()
    /// Users whom the filter names by user name.
    private var users: [NamedUser] = []

    /// Logs that the command line names.
    var namedFiles: [String] { files.filter { $0 != "-" } }

    /// Nil if help was asked for.
    /// - Parameter rest: what stands behind `log`.
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
                        sentence: "log \(argument): write log verify, head, stats or tail")
                }
                verb = named
            case (.verify, "--anchor"):
                let text = try rest.value(of: argument)
                // Several where it is all that `log head` has printed.
                let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
                for word in words.isEmpty ? [text] : words {
                    guard let anchor = SealHead(word) else {
                        throw GatehouseCommand.UsageError(
                            sentence:
                                "\"\(text)\" is no anchor; write SEQ.MAC, as log head prints it")
                    }
                    anchors.append(anchor)
                }
            case (.verify, "--key-file"): keyFiles.append(try rest.value(of: argument))
            case (.verify, "--json"), (.stats, "--json"): asJSON = true
            case (.stats, "--since"):
                let text = try rest.value(of: argument)
                guard let moment = Timestamp(since: text, now: WallClock.system.now()) else {
                    throw GatehouseCommand.UsageError(
                        sentence: "\"\(text)\" is no time; write 30m, 7d or 2026-11-21T07:00:00Z")
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
                sentence: "log what? write log verify, head, stats or tail")
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
                    sentence: "--lines \(text): not from 0 to 1000000")
            }
            lines = count
        case "--level":
            guard let level = Level(name: text) else {
                throw GatehouseCommand.UsageError(sentence: "--level \(text): no such level")
            }
            filter.levels.append(level)
        case "--area":
            guard let area = Area(name: text) else {
                throw GatehouseCommand.UsageError(sentence: "--area \(text): no such area")
            }
            filter.areas.append(area)
        case "--event": filter.events.append(text)
        case "--user": filter.users.append(text)
        default: throw GatehouseCommand.UsageError(sentence: "unknown argument: \(option)")
        }
    }

    // MARK: Running

    /// - Parameter isConfigured: whether a configuration file was named.
    func run(
        _ configuration: Configuration, isConfigured: Bool, _ environment: [String: String]
    ) -> GatehouseCommand.ExitCode {
        if isAboutAudit, configuration.log.audit == nil {
            GatehouseCommand.printError("log.audit is null: there is no audit log")
            return verb == .verify ? .indeterminate : .noInput
        }
        switch verb {
        case .verify: return verify(configuration, isConfigured: isConfigured)
        case .head: return head(configuration)
        case .stats: return stats(configuration)
        case .tail: return tail(configuration, environment)
        }
    }

    /// The paths of the logs that a command without files is about: one if one was asked for.
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
        // The demo's key says nothing about a log that is checked with a key that is named.
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
            GatehouseCommand.printError("there is no key to check the log with")
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

    /// The files that are named: those of the audit log are a chain of their own.
    private func groups(_ configuration: Configuration) -> [[String]] {
        guard let audit = configuration.log.audit.map({ LogFileNames.base(of: $0.path) }) else {
            return [files]
        }
        let log = LogFileNames.base(of: configuration.log.path)
        func isOf(_ log: String, _ path: String) -> Bool {
            let name = LogFileNames.base(of: path)
            return name == log || name.hasPrefix(log + ".") || name.hasPrefix(log + "-")
        }
        // One name may begin with the other: the longer one is meant.
        let audits = files.filter {
            isOf(audit, $0) && !(log.count > audit.count && isOf(log, $0))
        }
        let others = files.filter { !audits.contains($0) }
        return [others, audits].filter { !$0.isEmpty }
    }

    /// One line for each log.
    private func head(_ configuration: Configuration) -> GatehouseCommand.ExitCode {
        var code = GatehouseCommand.ExitCode.success
        for log in logs(configuration) {
            let result = head(of: log, configuration)
            if result != .success { code = result }
        }
        return code
    }

    /// The state is written each second, so the log may be further by now; never behind.
    private func head(of log: String, _ configuration: Configuration) -> GatehouseCommand.ExitCode {
        let path = LogState.path(of: log)
        do throws(Errno) {
            let inUse = SealKeys.current(configuration, making: false)
            for (index, key) in (inUse + SealKeys.previous(configuration)).enumerated() {
                guard let state = try LogState.read(from: path, key) else { continue }
                if index >= inUse.count {
                    GatehouseCommand.printError(
                        "\(path): of a key of before; the server has not run with the new one")
                }
                StandardOutput.show(state.head.text)
                return .success
            }
            GatehouseCommand.printError("\(path): no state that one of the keys has written")
        } catch {
            GatehouseCommand.printError(
                "\(path): \(ReadingError(opening: path, .configured, error).reason)")
        }
        return .noInput
    }

    /// Of the keys that decide which files are part of a log.
    private func keyIDs(_ configuration: Configuration) -> [String] {
        (SealKeys.current(configuration, making: false) + SealKeys.previous(configuration)).map(
            \.id)
    }

    /// About one log: an event of the audit log is in the log, too.
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
