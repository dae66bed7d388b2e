import Audit
import Foundation
import Glibc
import Logging
import POSIX
import TestSupport
import Time

/// A line that no server wrote is never sealed as a server's, and no line that a server wrote is
/// lost without a report.
///
/// The bytes are the history of a log. A server starts, writes, seals, stops and is killed. Another
/// process, without the key, appends, replaces, truncates, moves, links and restores files. After a
/// final start and stop the files are checked twice: by their seals alone, and by the report of a
/// verification.
enum ForgedLogProperties {
    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        var history = try History("\(folder)/forged")
        for pair in stride(from: 0, to: min(bytes.count, 80), by: 2) {
            try history.step(bytes[pair] % 18, pair + 1 < bytes.count ? Int(bytes[pair + 1]) : 0)
        }
        try history.end()
    }

    static let key = SealKey(secret: Array("a key for tests of forged logs..".utf8).span)
    static let otherKey = SealKey(secret: Array("another key, of another server..".utf8).span)
    /// Part of every line that no server wrote.
    static let mark = "FOREIGN"
}

private struct History: ~Copyable {
    private let folder: String
    private let path: String
    private let clock = Monitor(Timestamp(milliseconds: 1_795_244_400_123))
    private var logger: Logger?
    private var next = 0
    /// Lines below this number were sealed, and the state file confirms it, except those in
    /// `unsealed`.
    private var sealedCount = 0
    /// Lines that were removed before they were sealed. A server that was killed may not have
    /// written them.
    private var unsealed: Set<Int> = []
    private var forgedCount = 0
    private var movedCount = 0
    private var snapshot: [UInt8]?
    /// True if the state file was removed. Without it a missing end cannot be detected.
    private var stateWasRemoved = false

    init(_ folder: String) throws {
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        self.folder = folder
        path = "\(folder)/app.log"
    }

    // MARK: Steps

    mutating func step(_ operation: UInt8, _ argument: Int) throws {
        switch operation {
        case 0...3:
            try start()
            for _ in 0...(argument % 3) {
                logger?.record(Note(number: Int64(next)))
                next += 1
            }
            _ = logger?.commit()
        case 4, 5: sealLines()
        case 6:
            abandonUnsealed()
            logger = nil
        case 7: stop()
        case 8: try start()
        case 9, 10: try append(forgery(argument))
        case 11: try replace(with: forgery(argument))
        case 12:
            abandonUnsealed()
            truncate(path, max(0, size) * (argument % 5) / 5)
        case 13: rename(path, "\(folder)/app.log.\(movedName(argument))")
        case 14:
            abandonUnsealed()
            unlink(path)
        case 15:
            if argument % 2 == 0 {
                snapshot = try? Files.bytes(of: path)
            } else if let snapshot {
                try replace(with: snapshot + (argument % 4 == 1 ? forgery(argument) : []))
            }
        case 16:
            // Written in place, so that the inode stays the same.
            guard access(path, F_OK) == 0 else { return }
            abandonUnsealed()
            try Files.write(forgery(argument), to: path)
        default:
            if argument % 2 == 0 {
                stateWasRemoved = true
                unlink(LogState.path(of: path))
            } else if access(path, F_OK) != 0 {
                try Files.write([], to: "\(folder)/other")
                link("\(folder)/other", path)
            }
        }
    }

    private mutating func start() throws {
        guard logger == nil else { return }
        var options = LogOptions(path: path)
        options.maximumSize = 4096
        options.maximumFiles = 1000
        options.seal = LogOptions.Seal(key: ForgedLogProperties.key)
        options.standardErrorLevel = .critical
        options.retryDelays = TimeAmount(milliseconds: 0)...TimeAmount(milliseconds: 0)
        // The test needs no protection against power failures.
        let fileSystem = FileSystemDouble { operation, _ in
            operation == .synchronize ? .skipped : .done
        }
        let clock = clock
        logger = try Logger(
            options, clock: WallClock { clock.withLock { $0 } }, fileSystem: fileSystem)
    }

    /// Lets a second pass.
    private mutating func sealLines() {
        clock.withLock { $0 = $0 + .seconds(1) }
        guard let logger else { return }
        logger.performMaintenance()
        sealedCount = next
    }

    private mutating func stop() {
        guard let logger else { return }
        _ = logger.stop()
        sealedCount = next
        self.logger = nil
    }

    private var size: Int { (try? FileStatus(path: path).size) ?? 0 }

    private mutating func movedName(_ argument: Int) -> String {
        movedCount += 1
        return argument % 2 == 0 ? "\(movedCount)" : "00010\(movedCount % 10)"
    }

    private func append(_ bytes: [UInt8]) throws {
        guard let file = try? FileDescriptor.open(path, O_WRONLY | O_APPEND | O_NOFOLLOW) else {
            return
        }
        _ = try file.write(bytes.span)
    }

    private mutating func abandonUnsealed() {
        unsealed.formUnion(sealedCount..<next)
        sealedCount = next
    }

    private mutating func replace(with bytes: [UInt8]) throws {
        abandonUnsealed()
        try Files.write(bytes, to: "\(folder)/new")
        rename("\(folder)/new", path)
    }

    // MARK: Forgeries

    private mutating func forgery(_ argument: Int) -> [UInt8] {
        forgedCount += 1
        let time = clock.withLock { $0 }
        func line(_ name: StaticString) -> [UInt8] {
            LogLine.formatted(Forged(name: name, number: Int64(forgedCount)), at: time, .text)
        }
        switch argument % 8 {
        case 0: return line("authn_login_success")
        case 1: return line("log_open") + line("authn_login_success")
        case 2: return line("log_rotate") + line("authn_login_success")
        case 3: return line("log_reopen") + line("authn_login_success")
        case 4: return line("authn_login_success").dropLast()
        case 5:
            // A seal of another key after it, which continues the last seal of ours.
            let lines = line("authn_login_success")
            var chain = SealChain(after: SealHead(sequence: 1, code: .none))
            chain.update(lines.span)
            return lines
                + chain.seal(.interval, key: ForgedLogProperties.otherKey, at: time, .text).line
        case 6:
            // A copy of the last seal.
            return line("authn_login_success") + lastSealLine + line("authn_login_success")
        default: return (0..<30).flatMap { _ in line("authn_login_success") }
        }
    }

    private var lastSealLine: [UInt8] {
        guard let bytes = try? Files.bytes(of: path) else { return [] }
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        return lines.last { SealLine($0.span) != nil }.map { Array($0) + [UInt8(ascii: "\n")] }
            ?? []
    }

    // MARK: Checks

    consuming func end() throws {
        // Whatever is at the path, a server can start, and its lines are sealed.
        try start()
        logger?.record(Note(number: Int64(next)))
        next += 1
        stop()
        let report = LogVerifier(keys: [ForgedLogProperties.key]).verify(log: path)
        var found: Set<Int> = []
        for (index, file) in report.files.enumerated() {
            let bytes = try Files.bytes(of: "\(folder)/\(file.name)")
            try checkSeals(bytes, index, report)
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                guard let range = line.firstRange(of: "| note n=") else { continue }
                if let number = Int(line[range.upperBound...]) { found.insert(number) }
            }
        }
        if report.outcome.exitCode != 1, !stateWasRemoved {
            let missing = (0..<sealedCount).filter { !found.contains($0) && !unsealed.contains($0) }
            try require(
                missing.isEmpty, "\(missing) are missing without a report:\n\(report.text)")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let isAside = names.contains { $0.hasPrefix("app.log.foreign.") }
        try require(
            !isAside || report.outcome == .tampered,
            "a file was moved aside without a report:\n\(report.text)")
    }

    /// Every marked line is under no valid seal, or under a start seal that reports it.
    private func checkSeals(
        _ bytes: [UInt8], _ file: Int, _ report: VerificationReport
    ) throws(PropertyFailure) {
        var chain = SealChain()
        var marked: [Int] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // With this outcome the lines after the very last seal are a note, not a fault.
        let isLast = file == report.files.count - 1 && report.outcome != .intact
        let end = isLast ? lines.lastIndex { SealLine($0.span) != nil } ?? 0 : lines.count
        for (index, line) in lines.enumerated() {
            let fullLine = Array(line) + [UInt8(ascii: "\n")]
            guard let seal = SealLine(line.span) else {
                chain.update(fullLine.span)
                if String(decoding: line, as: UTF8.self).contains(ForgedLogProperties.mark) {
                    marked.append(index + 1)
                    try require(
                        index > end || isNamed(index + 1, file, report, .unsealed),
                        "line \(index + 1) of \(report.files[file].name) is not reported:\n"
                            + report.text)
                }
                continue
            }
            let coded = line.span.extracting(0..<seal.codedCount)
            let isRight =
                chain.code(
                    ForgedLogProperties.key, after: seal.previous, seal.sequence, closing: coded)
                == seal.code
            if isRight, let first = marked.first {
                try require(
                    seal.reason == .found && isNamed(first, file, report, .found),
                    "line \(first) of \(report.files[file].name) is sealed as a server's:\n"
                        + report.text)
            }
            marked = []
            chain = SealChain()
        }
    }

    private enum Naming { case found, unsealed }

    /// True if a fault of the report covers the line.
    private func isNamed(
        _ line: Int, _ file: Int, _ report: VerificationReport, _ naming: Naming
    ) -> Bool {
        func position(_ place: VerificationReport.Place) -> (Int, Int) {
            (report.files.firstIndex { $0.name == place.file } ?? -1, place.line)
        }
        return report.faults.contains { fault in
            (naming == .unsealed || fault.kind == .notProven || fault.kind.isTampering)
                && position(fault.first) <= (file, line) && (file, line) <= position(fault.last)
        }
    }
}

private struct Note: LogEvent {
    let number: Int64
    var level: Level { .info }
    var area: Area { .app }
    var name: StaticString { "note" }
    func write(to line: inout LogLine) { line.field("n", number) }
}

private struct Forged: LogEvent {
    let name: StaticString
    let number: Int64
    var level: Level { .info }
    var area: Area { .log }
    func write(to line: inout LogLine) {
        line.field("file", "app.log.000001")
        line.field("by", ForgedLogProperties.mark)
        line.field("n", number)
    }
}
