import Foundation
import JSON
import Manual
import TestSupport
import Testing
import Time

@testable import App
@testable import Logging

/// Compares the manual with the program: everything that the program knows has a row, and every row
/// is about something that the program knows.
@Suite("The manual's tables")
struct ManualCoverageTests {
    // MARK: Configuration

    @Test func `every configuration key of the program has a row, and every row is a key`() throws {
        let keys = try Sources.literals(
            #/"((?:server|admin|token|login|log|state)(?:\.[a-z_]+)+)"/#
        )
        .union(Area.allCases.map { "log.areas.\($0.name)" })
        .subtracting(Self.otherNames)
        #expect(Set(try rows("configuration").map(\.key)).symmetricDifference(keys).sorted() == [])
    }

    /// Literals that look like a key: sections, and a file.
    private static let otherNames: Set<String> = ["log.file", "log.stderr", "token.key"]

    @Test func `no row is about a key that the program does not know`() throws {
        for row in try rows("configuration") {
            let variable = Self.variable(row.key)
            #expect(!problems([variable: "?"]).contains(variable), "\(row.key)")
        }
        #expect(problems(["GATEHOUSE_SERVER_HOTS": "?"]).contains("GATEHOUSE_SERVER_HOTS"))
    }

    @Test func `the example has every key with a default, and no other key`() throws {
        let example = try keys(inJSON: Sources.text("config.example.json"))
        let known = Set(try rows("configuration").map(\.key))
        #expect(example.subtracting(known).sorted() == [])
        let missing = known.subtracting(example).filter { key in
            // The object around keys that are there.
            !example.contains { $0.hasPrefix(key + ".") }
        }
        // These are off, or follow another key, only as long as they are absent.
        #expect(
            missing.sorted() == [
                "log.areas.app", "log.areas.config", "log.areas.log", "log.areas.security",
                "log.audit.level", "log.file.level", "log.seal_secret",
            ])
    }

    @Test func `the examples in the manual use known keys`() throws {
        let known = Set(try rows("configuration").map(\.key))
        let page = try #require(ManualPage.named("configuration"))
        let blocks = page.text.matches(of: #/(?ms)^```json\n(.*?)^```$/#).map { String($0.1) }
        #expect(!blocks.isEmpty)
        for block in blocks { #expect(try keys(inJSON: block).subtracting(known).sorted() == []) }
    }

    @Test func `the defaults are those of the program`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file(
            "config.json",
            #"{"token":{"keys":[{"id":"a","secret":"0123456789abcdefghijklmnopqrstuv"}]}}"#)
        let settings = try Configuration.load(file: file, environment: [:]).settings
        for row in try rows("configuration") {
            guard let value = settings[row.key], let shown = row["default"].code else { continue }
            let expected =
                row["type"] == "size"
                ? DurationAndSize.size(shown).map(String.init)
                : row["type"] == "list"
                    ? ""
                    : shown
            #expect(value == expected, "\(row.key)")
        }
    }

    @Test func `the ranges are those of the program`() throws {
        var count = 0
        for row in try rows("configuration") {
            guard let range = row["range"].firstMatch(of: #/^(\S+) to (\S+)$/#) else { continue }
            let (low, high) = (String(range.1), String(range.2))
            let kind = row["type"]
            for (text, isAccepted) in [
                (low, true), (high, true), (Self.stepped(low, by: -1, kind), false),
                (Self.stepped(high, by: 1, kind), false),
            ] {
                // A session is at least as long as a token.
                var environment = ["GATEHOUSE_TOKEN_TTL": "1s"]
                environment[Self.variable(row.key)] = text
                let isProblem = problems(environment).contains(row.key)
                #expect(isProblem != isAccepted, "\(row.key) \(text)")
                count += 1
            }
        }
        #expect(count > 80)
    }

    /// One unit below or above a bound.
    private static func stepped(_ text: String, by step: Int, _ kind: String) -> String {
        switch kind {
        case "duration": "\((DurationAndSize.duration(text)?.milliseconds ?? 0) + Int64(step))ms"
        case "size": "\((DurationAndSize.size(text) ?? 0) + step)B"
        default: "\((Int(text) ?? 0) + step)"
        }
    }

    @Test func `the table says which keys need a restart`() throws {
        for row in try rows("configuration") {
            #expect(
                row["change"] == (Configuration.needsRestart(row.key) ? "restart" : "reload"),
                "\(row.key)")
        }
    }

    // MARK: Everything else

    @Test func `every event has a row with its area, and every row is an event`() throws {
        let names = try Sources.literals(#/var name: StaticString \{ "([a-z_]+)" \}/#)
        #expect(names.count > 30)
        let rows = try rows("log-events").filter { !$0["area"].isEmpty }
        #expect(Set(rows.map(\.key)).symmetricDifference(names).sorted() == [])
        let areas = try Sources.matches(
            #/var area: Area \{ \.([a-z]+) \}\s+(?:package )?var name: StaticString \{ "(\w+)" \}/#
        )
        for area in areas {
            #expect(rows.first { $0.key == area.2 }?["area"] == String(area.1), "\(area.2)")
        }
    }

    @Test func `every metric has a row with its type, and every row is a metric`() throws {
        let names = try Sources.literals(#/"((?:gatehouse|process)_[a-z_]+)"/#)
        #expect(names.count > 30)
        let rows = try rows("metrics")
        #expect(Set(rows.map(\.key)).symmetricDifference(names).sorted() == [])
        let types = try Sources.matches(#/text\.(counter|gauge|histogram)\(\s*"([a-z_]+)"/#)
        #expect(types.count > 30)
        for type in types {
            #expect(rows.first { $0.key == type.2 }?["type"] == String(type.1), "\(type.2)")
        }
    }

    @Test func `every route has a row, and every row is a route`() throws {
        var routes = Set(
            try Sources.matches(#/\.on\(\s*\.([a-z]+), "([^"]+)"/#).map {
                "\($0.1.uppercased()) \($0.2)"
            })
        routes.formUnion(
            try Sources.literals(#/\.onEveryMethod\(\s*"([^"]+)"/#).map { "* \($0)" })
        #expect(routes.count > 15)
        let rows = try (rows("endpoints") + rows("admin-api")).filter { $0.key.contains(" /") }
        #expect(
            Set(rows.map(\.key) + ["GET /metrics"]).symmetricDifference(routes).sorted() == [])
    }

    @Test func `every option of a command is on the page about commands`() throws {
        let page = try #require(ManualPage.named("commands")).text
        let options = try Sources.literals(#/"(--[a-z][a-z-]+)"/#, in: "App")
            // It is refused with a sentence that says why.
            .subtracting(["--password"])
        #expect(options.count > 20)
        for option in options.sorted() {
            #expect(page.contains("`\(option)") || page.contains("\(option) "))
        }
    }

    @Test func `every exit code is in the table`() throws {
        let codes = try Sources.matches(#/enum ExitCode: Int32[^{]*\{((?s).*?)\n    \}/#)
        let numbers = codes.flatMap { $0.1.matches(of: #/= (\d+)/#).map { Int($0.1) } }
        #expect(numbers.count > 10)
        let section = try #require(ManualPage.named("commands")?.section("Exit codes"))
        let shown = section.matches(of: #/(?m)^\| ([\d, ]+) \|/#).flatMap { row in
            row.1.split(separator: ", ").map { Int($0) }
        }
        // 72 is the executable's own.
        #expect(Set(shown) == Set(numbers + [72]))
    }

    // MARK: Reading

    private struct Row {
        let key: String
        private let cells: [String: String]

        init(_ cells: [String: String], key: String) {
            (self.key, self.cells) = (key, cells)
        }

        /// Empty if the table has no such column.
        subscript(_ column: String) -> String { cells[column] ?? "" }
    }

    /// The rows of all tables of a page whose first cell begins with code, which is their key.
    private func rows(_ name: String) throws -> [Row] {
        let page = try #require(ManualPage.named(name))
        var header: [String] = []
        var rows: [Row] = []
        for line in page.text.split(separator: "\n", omittingEmptySubsequences: false) {
            guard line.hasPrefix("| ") else {
                header = []
                continue
            }
            let cells = line.dropFirst(2).dropLast(2).replacing(#"\|"#, with: "¦")
                .components(separatedBy: " | ")
            if header.isEmpty {
                header = cells
            } else if let key = cells[0].firstMatch(of: #/^`([^`]+)`/#) {
                rows.append(
                    Row(
                        Dictionary(zip(header, cells)) { first, _ in first },
                        key: String(key.1)))
            }
        }
        #expect(!rows.isEmpty)
        return rows
    }

    private static func variable(_ key: String) -> String {
        "GATEHOUSE_" + key.uppercased().replacing(".", with: "_")
    }

    /// The paths of the problems that variables cause.
    private func problems(_ environment: [String: String]) -> Set<String> {
        do {
            _ = try Configuration.load(file: nil, environment: environment)
            return []
        } catch {
            return Set(error.problems.map(\.path))
        }
    }

    private func keys(inJSON text: String) throws -> Set<String> {
        var keys: Set<String> = []
        func collect(_ value: JSONValue, _ path: String) {
            guard case .object(let members) = value else {
                keys.insert(path)
                return
            }
            for member in members {
                collect(member.value, path.isEmpty ? member.name : "\(path).\(member.name)")
            }
        }
        collect(try JSONValue(parsing: Array(text.utf8).span), "")
        return keys
    }
}

/// The program's own text.
private enum Sources {
    private static let root: URL = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        return folder
    }()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The matches in all Swift files of a target, or of all that the server has.
    static func matches<Output>(
        _ pattern: Regex<Output>, in target: String = ""
    ) throws -> [Output] {
        let folder = root.appending(path: "Sources/\(target)")
        let paths = try #require(FileManager.default.enumerator(atPath: folder.path))
            .compactMap { $0 as? String }
            .filter { $0.hasSuffix(".swift") && !$0.hasPrefix("bench/") }
        return try paths.flatMap { path in
            try String(contentsOf: folder.appending(path: path), encoding: .utf8)
                .matches(of: pattern).map(\.output)
        }
    }

    static func literals(
        _ pattern: Regex<(Substring, Substring)>, in target: String = ""
    ) throws -> Set<String> {
        Set(try matches(pattern, in: target).map { String($0.1) })
    }
}

extension String {
    /// What is in backticks, if that is all there is.
    fileprivate var code: String? {
        wholeMatch(of: #/`([^`]*)`/#).map { String($0.1) }
    }
}
