import Audit
import Glibc
import JWT
import Logging
import POSIX
import Time

/// `gatehouse log …`: what a log says, and whether it can be believed.
struct LogCommand {
    private enum Verb: String { case verify, head, stats, tail }

    private var verb = Verb.verify
    private var files: [String] = []
    private var anchors: [SealHead] = []
    private var keyFiles: [String] = []
    private var asJSON = false
    private var since: Timestamp?
    private var lines = 10
    private var follows = true
    private var filter = LogFilter()
    /// Users whom the filter names by user name.
    private var users: [NamedUser] = []

    /// Nil if help was asked for.
    /// - Parameter rest: what stands behind `log`.
    init?(
        _ rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(Command.UsageError) {
        var verb: Verb?
        while let argument = rest.popFirst() {
            switch (verb, argument) {
            case (_, "--help"), (_, "-h"): return nil
            case (_, "--config"): configurationPath = try rest.value(of: argument)
            case (nil, _):
                guard let named = Verb(rawValue: argument) else {
                    throw Command.UsageError(
                        sentence: "log \(argument): write log verify, head, stats or tail")
                }
                verb = named
            case (.verify, "--anchor"):
                let text = try rest.value(of: argument)
                guard let anchor = SealHead(text) else {
                    throw Command.UsageError(
                        sentence: "\"\(text)\" is no anchor; write SEQ.MAC, as log head prints it")
                }
                anchors.append(anchor)
            case (.verify, "--key-file"): keyFiles.append(try rest.value(of: argument))
            case (.verify, "--json"), (.stats, "--json"): asJSON = true
            case (.stats, "--since"):
                let text = try rest.value(of: argument)
                guard let moment = Timestamp(since: text, now: WallClock.system.now()) else {
                    throw Command.UsageError(
                        sentence: "\"\(text)\" is no time; write 30m, 7d or 2026-11-21T07:00:00Z")
                }
                since = moment
            case (.tail, _) where argument.hasPrefix("-"):
                try readTailOption(argument, &rest)
            case (.verify, _), (.stats, _):
                guard argument == "-" || !argument.hasPrefix("-") else {
                    throw Command.UsageError(sentence: "unknown argument: \(argument)")
                }
                files.append(argument)
            default: throw Command.UsageError(sentence: "unknown argument: \(argument)")
            }
        }
        guard let verb else {
            throw Command.UsageError(sentence: "log what? write log verify, head, stats or tail")
        }
        self.verb = verb
    }

    private mutating func readTailOption(
        _ option: String, _ rest: inout ArraySlice<String>
    ) throws(Command.UsageError) {
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
                throw Command.UsageError(sentence: "--lines \(text): not from 0 to 1000000")
            }
            lines = count
        case "--level":
            guard let level = Level(name: text) else {
                throw Command.UsageError(sentence: "--level \(text): no such level")
            }
            filter.levels.append(level)
        case "--area":
            guard let area = Area(name: text) else {
                throw Command.UsageError(sentence: "--area \(text): no such area")
            }
            filter.areas.append(area)
        case "--event": filter.events.append(text)
        case "--user": filter.users.append(text)
        default: throw Command.UsageError(sentence: "unknown argument: \(option)")
        }
    }

    // MARK: Running

    func run(_ configuration: Configuration, _ environment: [String: String]) -> Command.ExitCode {
        switch verb {
        case .verify: verify(configuration)
        case .head: head(configuration)
        case .stats: stats(configuration)
        case .tail: tail(configuration, environment)
        }
    }

    private func verify(_ configuration: Configuration) -> Command.ExitCode {
        let keys = SealKeys.inUse(configuration, making: false)
        var earlier = SealKeys.earlier(configuration)
        for path in keyFiles {
            do throws(Problem) {
                earlier.append(try SealKeys.named(path))
            } catch {
                Command.say("\(error)")
                return .cannotTell
            }
        }
        guard !keys.isEmpty || !earlier.isEmpty else {
            Command.say("there is no key to check the log with")
            return .cannotTell
        }
        let verifier = LogVerifier(keys: keys, earlier: earlier, anchors: anchors)
        let report =
            files.isEmpty
            ? verifier.verify(log: configuration.log.path) : verifier.verify(files: files)
        StandardOutput.write(
            asJSON ? String(decoding: report.json, as: UTF8.self) + "\n" : report.text)
        return Command.ExitCode(rawValue: report.outcome.exitCode) ?? .software
    }

    /// The state is written each second, so the log may be further by now; never behind.
    private func head(_ configuration: Configuration) -> Command.ExitCode {
        let path = LogState.path(of: configuration.log.path)
        do throws(Errno) {
            let inUse = SealKeys.inUse(configuration, making: false)
            for (index, key) in (inUse + SealKeys.earlier(configuration)).enumerated() {
                guard let state = try LogState.read(from: path, key) else { continue }
                if index >= inUse.count {
                    Command.say(
                        "\(path): of a key of before; the server has not run with the new one")
                }
                StandardOutput.show(state.head.text)
                return .success
            }
            Command.say("\(path): no state that one of the keys has written")
        } catch {
            Command.say("\(path): \(error.words)")
        }
        return .noInput
    }

    private func stats(_ configuration: Configuration) -> Command.ExitCode {
        var options = LogStatistics.Options(
            files: files.isEmpty ? .log(path: configuration.log.path) : .named(files))
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
    ) -> Command.ExitCode {
        var options = LogTail.Options(path: configuration.log.path)
        options.lines = lines
        options.follow = follows
        options.isColored = isatty(1) == 1 && environment["NO_COLOR", default: ""].isEmpty
        options.filter = filter
        for user in users {
            do throws(NamedUser.Failure) {
                options.filter.users.append("\(try user.id(configuration).number)")
            } catch {
                return error.told(VisibleText(environment))
            }
        }
        do throws(ReadingError) {
            try LogTail.run(options, to: 1)
            return .success
        } catch {
            return Self.failure(error)
        }
    }

    private static func failure(_ error: ReadingError) -> Command.ExitCode {
        Command.say(error.sentence)
        return error.isOfOutput ? .inputOutput : .noInput
    }
}
