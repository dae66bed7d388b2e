import Crypto
import Foundation
import Glibc
import Logging
import POSIX

/// What `gatehouse` was asked to do, and doing it. Exit codes are those of sysexits.h.
package struct Command {
    package enum ExitCode: Int32, Sendable {
        case success = 0
        case usage = 64
        case unavailable = 69
        case software = 70
        case cannotCreate = 73
        case inputOutput = 74
        case configuration = 78
    }

    private enum Verb: String { case serve, check, secret, help, version }

    private var verb = Verb.serve
    private var configurationPath: String?
    private let environment: [String: String]

    /// - Parameter arguments: without the program's name.
    /// - Throws: a sentence about the first argument that makes no sense.
    package init(
        _ arguments: [String], environment: [String: String]
    ) throws(UsageError) {
        self.environment = environment
        var rest = arguments[...]
        var sawVerb = false
        while let argument = rest.popFirst() {
            switch argument {
            case "--help", "-h": verb = .help
            case "--version": verb = .version
            case "--config":
                guard let path = rest.popFirst() else {
                    throw UsageError(sentence: "--config needs a file")
                }
                configurationPath = path
            case "serve", "check", "secret":
                guard !sawVerb else {
                    throw UsageError(sentence: "one command at a time: \(argument)")
                }
                sawVerb = true
                if verb == .serve { verb = Verb(rawValue: argument)! }
            default: throw UsageError(sentence: "unknown argument: \(argument)")
            }
        }
    }

    package struct UsageError: Error, Sendable {
        package let sentence: String
    }

    /// Runs a command line, and returns what the process exits with.
    package static func run(_ arguments: [String], environment: [String: String]) -> ExitCode {
        do throws(UsageError) {
            return try Command(arguments, environment: environment).run()
        } catch {
            say("\(error.sentence)\n\(usage)")
            return .usage
        }
    }

    private func run() -> ExitCode {
        switch verb {
        case .help:
            print(Self.help)
            return .success
        case .version:
            print("gatehouse \(Gatehouse.version)")
            return .success
        case .secret:
            print(Self.newSecret())
            return .success
        case .check: return check()
        case .serve: return serve()
        }
    }

    // MARK: Commands

    /// 32 random bytes as text, which is itself the secret: 43 characters.
    private static func newSecret() -> String {
        let bytes = RandomBytes.array(count: 32)
        return String(decoding: Base64URL.encoded(bytes.span), as: UTF8.self)
    }

    private func check() -> ExitCode {
        guard let configuration = load() else { return .configuration }
        for warning in configuration.warnings { Self.say("warning: \(warning)") }
        if let problem = Self.logProblem(configuration.log.path) {
            Self.say("\(problem)")
            return .configuration
        }
        print("the configuration is good")
        return .success
    }

    /// What would keep the log from being opened, as far as one can tell without making anything.
    private static func logProblem(_ path: String) -> Problem? {
        var place = path
        var isFolder: ObjCBool = false
        // The log and its folder are made where they are not there; what is above them is not.
        for _ in 0..<2
        where unsafe !FileManager.default.fileExists(atPath: place, isDirectory: &isFolder) {
            place = (place as NSString).deletingLastPathComponent
            if place.isEmpty { place = "." }
        }
        guard unsafe FileManager.default.fileExists(atPath: place, isDirectory: &isFolder),
            isFolder.boolValue == (place != path),
            FileManager.default.isWritableFile(atPath: place)
        else { return Problem(path: "log.file.path", sentence: "\(place) cannot be written") }
        return nil
    }

    private func serve() -> ExitCode {
        do throws(SelfTest.Failure) {
            try SelfTest.run()
        } catch {
            Self.say("the self-test failed: \(error.check) is computed wrongly")
            return .software
        }
        guard let configuration = load() else { return .configuration }
        Signals.ignoreBrokenPipes()
        Self.raiseDescriptorLimit()
        let gatehouse: Gatehouse
        do throws(Gatehouse.StartError) {
            gatehouse = try Gatehouse(configuration)
        } catch {
            Self.say(error.sentence)
            switch error {
            case .log: return .cannotCreate
            case .listen: return .unavailable
            }
        }
        let signals = Signals(onHangUp: { gatehouse.reopenLog() })
        gatehouse.catchFaults()
        gatehouse.start()
        Self.say("listening on \(gatehouse.url)")
        signals.wait()
        let lost = gatehouse.stop()
        guard lost == 0 else {
            Self.say("\(lost) lines of the log could not be written")
            return .inputOutput
        }
        return .success
    }

    /// As many descriptors as the system lets this process have: each connection takes one, and the
    /// usual soft limit of 1,024 is far below `server.max_connections`.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return
        }
        limit.rlim_cur = limit.rlim_max
        // Without it there are fewer connections, and the log says when they run out.
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private func load() -> Configuration? {
        do throws(Configuration.Invalid) {
            return try Configuration.load(file: configurationPath, environment: environment)
        } catch {
            for problem in error.problems { Self.say("\(problem)") }
            return nil
        }
    }

    // MARK: Words

    private static func say(_ text: String) {
        let line = Array("gatehouse: \(text)\n".utf8)
        // Nobody can be told that standard error is gone.
        _ = try? writeOnce(2, line.span)
    }

    private static let usage = "usage: gatehouse [serve|check|secret] [--config FILE]"

    private static let help = """
        gatehouse \(Gatehouse.version)
        Issues HS256 JSON Web Tokens, checks them, and keeps a security log.

        \(usage)

          serve    answer requests until SIGTERM or SIGINT; also without a command
          check    read the configuration, say everything that is wrong with it, exit
          secret   print a new random key for token.keys

          --config FILE   the configuration, in JSON; without it the demo runs on
                          127.0.0.1:8080
          --help          this text
          --version       the version

        Every setting can be overridden by an environment variable: log.file.max_size
        is GATEHOUSE_LOG_FILE_MAX_SIZE. SIGHUP opens the log file again.

        Exit codes: 0 done, 64 wrong arguments, 69 the address is taken, 70 the
        self-test failed, 73 the log cannot be opened, 74 the log was not written to
        its end, 78 the configuration is wrong.
        """
}
