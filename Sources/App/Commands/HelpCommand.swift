import BuildInfo
import Glibc
import Manual

/// `gatehouse help [TOPIC|COMMAND]`: the manual. `gatehouse version`: what was built.
struct HelpCommand {
    /// Every command with what it does. The page `commands` has a section about each.
    static let commands: [(name: String, summary: String)] = [
        ("serve", "answer requests until SIGTERM or SIGINT; the default"),
        ("check", "report every problem of the configuration and the files"),
        ("secret", "print a new key, or add one to a configuration"),
        ("user", "add, set-password, disable, enable, remove, list"),
        ("token", "issue a token, or explain one"),
        ("revoke", "end a token, a session, a user's sessions, or all"),
        ("sessions", "list the sessions of a user"),
        ("locks", "list locked accounts and networks"),
        ("unlock", "end locks"),
        ("level", "show or change log levels"),
        ("reload", "read the configuration, keys and users again"),
        ("log", "verify, head, stats, tail"),
        ("help", "this list, a page of the manual, or help about a command"),
        ("version", "the version and the commit"),
    ]

    static var version: String {
        "gatehouse \(Application.version) (commit \(BuildInfo.commit))"
    }

    private let isVersion: Bool
    /// What help is about.
    private let words: [String]

    /// - Parameters:
    ///   - name: `help` or `version`.
    ///   - rest: the arguments after it. All of them are consumed.
    init(_ name: String, _ rest: inout ArraySlice<String>) throws(GatehouseCommand.UsageError) {
        isVersion = name == "version"
        var words: [String] = []
        while let argument = rest.popFirst() {
            switch argument {
            case "--help", "-h": break
            // Every command accepts it; the manual is the same for every configuration.
            case "--config": _ = try rest.value(of: argument, "FILE")
            case _ where argument.hasPrefix("-"): throw .unknown(argument)
            case _ where isVersion: throw .unknown(argument)
            default: words.append(argument)
            }
        }
        self.words = words
    }

    func run(_ environment: [String: String]) -> GatehouseCommand.ExitCode {
        if isVersion {
            StandardOutput.show(Self.version)
            return .success
        }
        guard !words.isEmpty else {
            StandardOutput.show(Self.overview)
            return .success
        }
        guard let text = Self.text(about: words) else {
            let name = VisibleText.of(words.joined(separator: " "), limit: 60)
            GatehouseCommand.printError(
                "help: unknown topic \"\(name)\"; topics: \(Self.topics.joined(separator: ", "))")
            return .usage
        }
        let isPlain = isatty(1) != 1 || environment["TERM"] == "dumb"
        StandardOutput.write(
            isPlain ? text : TerminalMarkdown.rendered(text, width: Self.terminalWidth()))
        return .success
    }

    // MARK: Text

    private static var topics: [String] { ManualPage.all.map(\.name) }

    /// Markdown about a page or a command; about both if they have one name. Further words are the
    /// subcommand of a command, as in `help log verify`.
    /// - Returns: nil for an unknown topic.
    static func text(about words: [String]) -> String? {
        guard let name = words.first else { return nil }
        let section =
            commands.contains { $0.name == name }
            ? ManualPage.named("commands")?.section(name) : nil
        guard words.count == 1 else {
            return section.flatMap { $0.contains("`\(words.joined(separator: " "))") ? $0 : nil }
        }
        let parts = [section, ManualPage.named(name)?.text].compactMap(\.self)
        return parts.isEmpty ? nil : parts.joined(separator: "\n")
    }

    /// Commands and topics: at most 24 lines of 80 columns.
    static var overview: String {
        var lines = ["\(version)", "usage: gatehouse [COMMAND] [--config FILE]"]
        for (name, summary) in commands {
            lines.append("  \(name)\(String(repeating: " ", count: 10 - name.count))\(summary)")
        }
        lines.append("topics:")
        var line = " "
        for topic in topics {
            if line.count + 1 + topic.count > 80 {
                lines.append(line)
                line = " "
            }
            line += " \(topic)"
        }
        lines.append(line)
        lines.append("gatehouse help TOPIC prints a page, gatehouse help COMMAND its options.")
        return lines.joined(separator: "\n")
    }

    /// Columns of the terminal at standard output; lines of more than 100 are hard to read.
    private static func terminalWidth() -> Int {
        var size = winsize()
        // Sound: the request fills the structure that it is given, which is of its type.
        guard unsafe ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return min(Int(size.ws_col), 100)
    }
}
