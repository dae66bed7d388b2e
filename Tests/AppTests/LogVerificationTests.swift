import Foundation
import TestSupport
import Testing

/// A change that an attacker makes to a log.
private struct Tampering: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Applies the change, and returns the place that the report must name: a file, and a line if
    /// it is known.
    let apply: @Sendable (TemporaryFolder) throws -> (file: String, line: Int?)

    init(
        _ name: String,
        _ apply: @escaping @Sendable (TemporaryFolder) throws -> (file: String, line: Int?)
    ) {
        testDescription = name
        self.apply = apply
    }

    /// A change to the lines of a full file in the middle of the log.
    init(
        _ name: String,
        lines apply: @escaping @Sendable (_ lines: inout [String], _ plain: Int, _ seal: Int) -> Int
    ) {
        self.init(name) { folder in
            let file = "app.log.000003"
            var lines = try folder.lines(file)
            // An event with events around it, after the first seal, and the next seal after it.
            let first = try #require(lines.firstIndex { $0.isSeal })
            let plain = try #require(
                lines.indices[(first + 3)...].dropLast(6).first { index in
                    lines[(index - 2)...(index + 2)].allSatisfy { $0.contains(" | security | ") }
                })
            let seal = try #require(lines.indices.first { $0 > plain && lines[$0].isSeal })
            let line = apply(&lines, plain, seal)
            try folder.file(file, lines.map { $0 + "\n" }.joined())
            return (file, line + 1)
        }
    }
}

private let tamperings = [
    Tampering("a line is edited") { lines, plain, _ in
        lines[plain] = lines[plain].replacing("ip=127.0.0.1", with: "ip=127.0.0.2")
        return plain
    },
    Tampering("a line's time is edited") { lines, plain, _ in
        lines[plain].replaceSubrange(
            lines[plain].startIndex..., with: "1999" + lines[plain].dropFirst(4))
        return plain
    },
    Tampering("a seal's code is edited") { lines, _, seal in
        let last = lines[seal].removeLast()
        lines[seal].append(last == "0" ? "1" : "0")
        return seal
    },
    Tampering("a seal's count is edited") { lines, _, seal in
        lines[seal] = lines[seal].replacing(" n=", with: " n=1")
        return seal
    },
    Tampering("a line is deleted") { lines, plain, _ in
        lines.remove(at: plain)
        return plain
    },
    Tampering("a seal is deleted") { lines, _, seal in
        lines.remove(at: seal)
        return seal
    },
    Tampering("all between two seals is deleted, and the second seal") { lines, plain, seal in
        let before = lines[..<plain].lastIndex { $0.isSeal }!
        lines.removeSubrange((before + 1)...seal)
        return before
    },
    Tampering("a line is inserted") { lines, plain, _ in
        lines.insert(lines[plain].replacing("user=2", with: "user=1"), at: plain)
        return plain
    },
    Tampering("two lines are swapped") { lines, plain, _ in
        lines.swapAt(plain, plain + 1)
        return plain
    },
    Tampering("a line moves after the next seal") { lines, plain, seal in
        lines.insert(lines.remove(at: plain), at: seal)
        return plain
    },
    Tampering("two files are swapped") { folder in
        try folder.move("app.log.000002", to: "kept")
        try folder.move("app.log.000003", to: "app.log.000002")
        try folder.move("kept", to: "app.log.000003")
        return ("app.log.000002", nil)
    },
    Tampering("the end of a full file is cut off inside a line") { folder in
        let text = try folder.content("app.log.000002")
        try folder.file("app.log.000002", String(text.dropLast(1000)))
        return ("app.log.000002", try folder.lines("app.log.000002").count)
    },
    Tampering("the end of a full file is cut off after a seal") { folder in
        let lines = try folder.lines("app.log.000002")
        let seal = lines.dropLast().lastIndex { $0.isSeal }!
        try folder.file("app.log.000002", lines[...seal].map { $0 + "\n" }.joined())
        return ("app.log.000002", seal + 1)
    },
    Tampering("a full file is truncated") { folder in
        try folder.file("app.log.000002", "")
        return ("app.log.000002", nil)
    },
    Tampering("a full file is removed") { folder in
        try folder.remove("app.log.000003")
        return ("app.log.000003", nil)
    },
    Tampering("the oldest file is removed") { folder in
        try folder.remove("app.log.000001")
        return ("app.log.000002", 1)
    },
    Tampering("the end of the file that is being written is cut off") { folder in
        let lines = try folder.lines("app.log")
        try folder.file("app.log", lines.dropLast(2).map { $0 + "\n" }.joined())
        return ("app.log", nil)
    },
    Tampering("the file that is being written is removed") { folder in
        try folder.remove("app.log")
        return ("app.log", nil)
    },
]

extension String {
    fileprivate var isSeal: Bool { contains(" | INFO | log | log_seal ") }
}

extension TemporaryFolder {
    func lines(_ name: String) throws -> [String] {
        try content(name).split(separator: "\n").map(String.init)
    }

    /// Removes all lines after the second to last seal.
    fileprivate func removeLinesAfterSecondLastSeal(_ name: String) throws {
        let lines = try lines(name)
        let seal = lines.dropLast().lastIndex { $0.isSeal }!
        try file(name, lines[...seal].map { $0 + "\n" }.joined())
    }
}

@Suite(.blocking, .serialized)
struct LogVerificationTests {
    private func verify(
        _ arguments: [String] = [], in folder: TemporaryFolder
    ) throws -> (ending: ChildProcess.Ending, report: String) {
        let (ending, output, errors) = try ServerProcess.run(
            ["log", "verify"] + arguments + SealedLog.configuration, in: folder,
            SealedLog.settings)
        return (ending, output + errors)
    }

    /// The report of `--json`.
    private struct Report: Decodable {
        struct Fault: Decodable {
            let file, lastFile: String
            let line, lastLine: Int
        }
        let outcome: String
        let exit: Int
        let faults: [Fault]
        let head: String?
    }

    private func decode(_ report: String) throws -> Report {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Report.self, from: Data(report.utf8))
    }

    @Test(arguments: tamperings)
    private func `a changed log is reported as tampered with, at the place of the change`(
        _ tampering: Tampering
    ) throws {
        let folder = try SealedLog.made.get().copy()
        let place = try tampering.apply(folder)
        let (ending, report) = try verify(in: folder)
        #expect(ending == .exited(1))
        #expect(report.contains("TAMPERED"))
        #expect(report.contains(place.file), "\(report)")
        let (sameEnding, json) = try verify(["--json"], in: folder)
        #expect(sameEnding == .exited(1))
        let found = try decode(json)
        #expect(found.outcome == "tampered")
        #expect(found.exit == 1)
        if let line = place.line {
            let isCovered = found.faults.contains { fault in
                fault.file == place.file && fault.line <= line
                    && (fault.lastFile != place.file || line <= fault.lastLine)
            }
            #expect(isCovered, "\(place): \(report)")
        }
    }

    @Test func `a log cannot be verified with another key`() throws {
        let folder = try SealedLog.made.get().copy()
        try folder.file("seal.key", "a seal key, and of 32 bytes, yes\n")
        for arguments in [[], ["app.log.000002"], ["--json"]] {
            let (ending, report) = try verify(arguments, in: folder)
            #expect(ending == .exited(2), "\(report)")
        }
        #expect(try decode(verify(["--json"], in: folder).report).outcome == "wrongKey")
        #expect(try verify(in: folder).report.contains("wrong key"))
    }

    @Test
    func `an unchanged log is intact, complete or in part, in any order, packed or piped`() throws {
        let folder = try SealedLog.made.get().copy()
        let names = folder.logFiles
        let full = Array(names.dropLast())
        let ways = [
            [], names, names.reversed(), Array(names.dropFirst(2)), [names[2]], ["app.log"],
        ]
        for arguments in ways {
            let (ending, report) = try verify(arguments, in: folder)
            #expect(ending == .exited(0), "\(arguments): \(report)")
            let isPart = !arguments.isEmpty && !arguments.contains(names[0])
            #expect(report.contains("note: begins at seal ") == isPart)
        }
        let report = try decode(verify(["--json"] + names, in: folder).report)
        #expect(report.outcome == "intact")
        #expect(report.faults.isEmpty)
        #expect(report.head == (try SealedLog.made.get().head))

        try shell("gzip \(full.joined(separator: " "))", in: folder)
        let packed = full.map { "\($0).gz" }
        for arguments in [[], packed + ["app.log"], ["app.log"] + packed.reversed()] {
            let (ending, report) = try verify(arguments, in: folder)
            #expect(ending == .exited(0), "\(arguments): \(report)")
        }
        let pipe =
            "(zcat \(packed.joined(separator: " ")); cat app.log) "
            + "| '\(ServerProcess.program)' log verify - --config gatehouse.json"
        #expect(try shell(pipe, in: folder).contains("intact: every line is sealed"))
    }

    @discardableResult
    private func shell(_ command: String, in folder: TemporaryFolder) throws -> String {
        let shell = try ChildProcess(
            "/bin/sh", ["-c", command], environment: ["PATH": "/usr/bin:/bin"], folder: folder.path)
        let ending = try shell.wait()
        #expect(ending == .exited(0), "\(command): \(shell.standardOutput)\(shell.standardError)")
        return shell.standardOutput
    }

    @Test(arguments: [
        ("app.log", "app.log"), ("app.log.000002", "app.log.000002"),
        (".app.log.state", "./.app.log.state"),
    ])
    func `a configured file that is a symbolic link is not read`(name: String, shownPath: String)
        throws
    {
        let folder = try SealedLog.made.get().copy()
        try FileManager.default.createDirectory(
            atPath: folder.path("elsewhere"), withIntermediateDirectories: false)
        try folder.move(name, to: "elsewhere/\(name)")
        #expect(symlink("elsewhere/\(name)", folder.path(name)) == 0)
        let reason = "is a symbolic link; put the file itself there"
        let (ending, report) = try verify(in: folder)
        #expect(ending == .exited(2), "\(report)")
        #expect(report.contains("\(shownPath): \(reason)"), "\(report)")

        let isState = name == ".app.log.state"
        let commands =
            isState
            ? [["log", "head"]]
            : [["log", "stats"], ["log", "tail", "--no-follow", "--lines", "100000"]]
        for command in commands {
            let (ending, output, errors) = try ServerProcess.run(
                command + SealedLog.configuration, in: folder, SealedLog.settings)
            #expect(ending == .exited(66), "\(command)")
            // The head of the audit log is printed.
            #expect(isState || output == "", "\(command)")
            #expect(errors.contains(reason), "\(command): \(errors)")
        }
        // A link that the operator names is followed.
        if name == "app.log" {
            for command in [["tail", "app.log", "--no-follow"], ["stats", "app.log"]] {
                let (ending, output, errors) = try ServerProcess.run(
                    ["log"] + command + SealedLog.configuration, in: folder, SealedLog.settings)
                #expect(ending == .exited(0), "\(command): \(errors)")
                #expect(!output.isEmpty)
            }
        }
    }

    @Test
    func `a log is intact while it is written, over SIGHUP, a restart and retention`() throws {
        let folder = try SealedLog.made.get().copy()
        for _ in 0..<2 {
            let server = try ServerProcess(
                in: folder, ["LOG_FILE_KEEP": "3"], SealedLog.configuration)
            let load = Load(server, clients: 1, name: "l")
            for _ in 0..<3 {
                load.waitForMore(60)
                server.process.kill(SIGHUP)
                let (ending, report) = try verify(in: folder)
                #expect(ending.isIntact, "\(report)")
            }
            _ = load.end()
            #expect(try server.stop() == .exited(0))
            let (ending, report) = try verify(in: folder)
            #expect(ending == .exited(0), "\(report)")
        }
        #expect(folder.logFiles.count == 4)
    }

    @Test func `a log can be compared with a head that was stored elsewhere`() throws {
        let log = try SealedLog.made.get()
        let folder = try log.copy()
        #expect(try verify(["--anchor", log.head], in: folder).ending == .exited(0))
        // An attacker who also removes the state file can only be detected by the anchor.
        try folder.removeLinesAfterSecondLastSeal("app.log")
        #expect(try verify(in: folder).ending == .exited(1))
        try folder.remove(".app.log.state")
        #expect(try verify(in: folder).ending == .exited(3))
        let (ending, report) = try verify(["--anchor", log.head], in: folder)
        #expect(ending == .exited(1))
        #expect(report.contains("anchor"))
    }
}
