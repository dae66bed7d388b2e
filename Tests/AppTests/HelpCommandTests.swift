import Manual
import TestSupport
import Testing

@testable import App

@Suite("gatehouse help", .blocking, .serialized)
struct HelpCommandTests {
    private let folder = try! TemporaryFolder()

    @Test func `the overview fits a terminal of 24 lines and 80 columns`() throws {
        let (ending, output, errors) = try ServerProcess.run(["help"], in: folder)
        #expect(ending == .exited(0))
        #expect(errors == "")
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(lines.count <= 24)
        for line in lines { #expect(line.count <= 80, "\(line)") }
        for page in ManualPage.all { #expect(output.contains(" \(page.name)")) }
    }

    @Test func `every command has a line in the overview and a section in the manual`() throws {
        let page = try #require(ManualPage.named("commands"))
        let names = HelpCommand.commands.map(\.name)
        #expect(page.sections == names + ["Exit codes"])
        for name in names { #expect(HelpCommand.overview.contains("\n  \(name) ")) }
    }

    @Test func `a topic is printed as Markdown where the output is no terminal`() throws {
        for page in ["configuration", "log-events"] {
            let (ending, output, errors) = try ServerProcess.run(["help", page], in: folder)
            #expect(ending == .exited(0))
            #expect(output == ManualPage.named(page)?.text)
            #expect(errors == "")
        }
    }

    @Test func `a command is explained by its section`() throws {
        #expect(HelpCommand.text(about: ["reload"])?.hasPrefix("## reload\n") == true)
        #expect(HelpCommand.text(about: ["log", "verify"])?.hasPrefix("## log\n") == true)
        #expect(HelpCommand.text(about: ["user", "add"])?.hasPrefix("## user\n") == true)
        #expect(HelpCommand.text(about: ["log", "verfy"]) == nil)
    }

    @Test func `a name of a command and a topic gives both`() throws {
        let text = try #require(HelpCommand.text(about: ["sessions"]))
        #expect(text.hasPrefix("## sessions\n"))
        #expect(text.contains("\n# Sessions\n"))
    }

    @Test func `an unknown topic is an error that lists the topics`() throws {
        let (ending, output, errors) = try ServerProcess.run(["help", "\u{1B}x"], in: folder)
        #expect(ending == .exited(64))
        #expect(output == "")
        #expect(
            errors.hasPrefix(
                #"gatehouse: help: unknown topic "\u{1b}x"; topics: quick-start, "#),
            "\(errors)")
        #expect(errors.hasSuffix("changelog\n"))
    }

    @Test(arguments: [["version"], ["version", "--config", "none.json"]])
    func `the version is printed with the commit`(arguments: [String]) throws {
        let (ending, output, _) = try ServerProcess.run(arguments, in: folder)
        #expect(ending == .exited(0))
        #expect(
            output.wholeMatch(of: #/gatehouse \d+\.\d+\.\d+ \(commit ([0-9a-f]{7,40}|unknown)\)\n/#)
                != nil)
    }
}
