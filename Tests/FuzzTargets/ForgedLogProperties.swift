import Audit
import Foundation
import Glibc
import Logging
import POSIX
import TestSupport
import Time

/// What no server wrote is never sealed as written, and no line that a server wrote is lost without
/// a word.
///
/// The bytes are what happens to a log: a server starts, writes, seals, stops and is killed, and
/// another process, without the key, appends, replaces, cuts, moves, links and puts back. After a
/// last start and stop the files are judged twice: by their seals alone, and by what a verification
/// says of them.
enum ForgedLogProperties {
    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        var history = try History("\(folder)/forged")
        for pair in stride(from: 0, to: min(bytes.count, 80), by: 2) {
            try history.step(bytes[pair] % 18, pair + 1 < bytes.count ? Int(bytes[pair + 1]) : 0)
        }
        try history.end()
    }

    static let key = SealKey(secret: Array("a key for tests of forged logs..".utf8).span)
    static let otherKey = SealKey(secret: Array("another key, of somebody else...".utf8).span)
    /// In every line that no server wrote.
    static let mark = "FOREIGN"
}

private struct History: ~Copyable {
    private let folder: String
    private let path: String
    private let clock = Monitor(Timestamp(milliseconds: 1_795_244_400_123))
    private var logger: Logger?
    private var next = 0
    /// Lines below this number were sealed, with a state that says so, but for those of `unsealed`.
    private var kept = 0
    /// Lines that were taken away before they were sealed, as a process that was killed may never
    /// have written them.
    private var unsealed: Set<Int> = []
    private var forgedCount = 0
    private var movedCount = 0
    private var snapshot: [UInt8]?
    /// Without the state nothing tells that the end is missing.
    private var stateWasTouched = false

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
        case 4, 5: keepUp()
        case 6:
            giveUpUnsealed()
            logger = nil
        case 7: stop()
        case 8: try start()
        case 9, 10: try append(forgery(argument))
        case 11: try replace(with: forgery(argument))
        case 12:
            giveUpUnsealed()
            truncate(path, max(0, size) * (argument % 5) / 5)
        case 13: rename(path, "\(folder)/app.log.\(movedName(argument))")
        case 14:
            giveUpUnsealed()
            unlink(path)
        case 15:
            if argument % 2 == 0 {
                snapshot = try? Files.bytes(of: path)
            } else if let snapshot {
                try replace(with: snapshot + (argument % 4 == 1 ? forgery(argument) : []))
            }
        case 16:
            // In place, so that the inode stays.
            guard access(path, F_OK) == 0 else { return }
            giveUpUnsealed()
            try Files.write(forgery(argument), to: path)
        default:
            if argument % 2 == 0 {
                stateWasTouched = true
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
        // No power failure is to be survived here.
        let fileSystem = FileSystemDouble { operation, _ in
            operation == .synchronize ? .pretended : .done
        }
        let clock = clock
        logger = try Logger(
            options, clock: WallClock { clock.withLock { $0 } }, fileSystem: fileSystem)
    }

    /// A second passes.
    private mutating func keepUp() {
        clock.withLock { $0 = $0 + .seconds(1) }
        guard let logger else { return }
        logger.performMaintenance()
        kept = next
    }

    private mutating func stop() {
        guard let logger else { return }
        _ = logger.stop()
        kept = next
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

    private mutating func giveUpUnsealed() {
        unsealed.formUnion(kept..<next)
        kept = next
    }

    private mutating func replace(with bytes: [UInt8]) throws {
        giveUpUnsealed()
        try Files.write(bytes, to: "\(folder)/new")
        rename("\(folder)/new", path)
    }

    // MARK: Forgeries

    private mutating func forgery(_ argument: Int) -> [UInt8] {
        forgedCount += 1
        let time = clock.withLock { $0 }
        func line(_ name: StaticString) -> [UInt8] {
            LogLine.whole(Forged(name: name, number: Int64(forgedCount)), at: time, .text)
        }
        switch argument % 8 {
        case 0: return line("authn_login_success")
        case 1: return line("log_open") + line("authn_login_success")
        case 2: return line("log_rotate") + line("authn_login_success")
        case 3: return line("log_reopen") + line("authn_login_success")
        case 4: return line("authn_login_success").dropLast()
        case 5:
            // A seal of another key behind it, that goes on from the last one of ours.
            let lines = line("authn_login_success")
            var chain = SealChain(after: SealHead(sequence: 1, code: .none))
            chain.update(lines.span)
            return lines
                + chain.seal(.interval, key: ForgedLogProperties.otherKey, at: time, .text).line
        case 6:
            // The last seal of ours once more.
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

    // MARK: The judgement

    consuming func end() throws {
        // Whatever is at the path, a server starts, and its lines are sealed.
        try start()
        logger?.record(Note(number: Int64(next)))
        next += 1
        stop()
        let report = LogVerifier(keys: [ForgedLogProperties.key]).verify(log: path)
        var found: Set<Int> = []
        for (index, file) in report.files.enumerated() {
            let bytes = try Files.bytes(of: "\(folder)/\(file.name)")
            try judge(bytes, index, report)
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                guard let range = line.firstRange(of: "| note n=") else { continue }
                if let number = Int(line[range.upperBound...]) { found.insert(number) }
            }
        }
        if report.outcome.exitCode != 1, !stateWasTouched {
            let missing = (0..<kept).filter { !found.contains($0) && !unsealed.contains($0) }
            try require(
                missing.isEmpty, "\(missing) are gone, and nothing says so:\n\(report.text)")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let isAside = names.contains { $0.hasPrefix("app.log.foreign.") }
        try require(
            !isAside || report.outcome == .tampered, "a file was moved aside:\n\(report.text)")
    }

    /// Every line with the mark is under no right seal, or under that of a start and named.
    private func judge(
        _ bytes: [UInt8], _ file: Int, _ report: VerificationReport
    ) throws(PropertyFailure) {
        var chain = SealChain()
        var marked: [Int] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // A note has the lines behind the last seal of all, and no fault.
        let isLast = file == report.files.count - 1 && report.outcome != .intact
        let end = isLast ? lines.lastIndex { SealLine($0.span) != nil } ?? 0 : lines.count
        for (index, line) in lines.enumerated() {
            let whole = Array(line) + [UInt8(ascii: "\n")]
            guard let seal = SealLine(line.span) else {
                chain.update(whole.span)
                if String(decoding: line, as: UTF8.self).contains(ForgedLogProperties.mark) {
                    marked.append(index + 1)
                    try require(
                        index > end || isNamed(index + 1, file, report, .unsealed),
                        "line \(index + 1) of \(report.files[file].name) is not named:\n"
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
                    "line \(first) of \(report.files[file].name) is sealed as written:\n"
                        + report.text)
            }
            marked = []
            chain = SealChain()
        }
    }

    private enum Naming { case found, unsealed }

    /// Whether a fault has the line.
    private func isNamed(
        _ line: Int, _ file: Int, _ report: VerificationReport, _ naming: Naming
    ) -> Bool {
        func spot(_ place: VerificationReport.Place) -> (Int, Int) {
            (report.files.firstIndex { $0.name == place.file } ?? -1, place.line)
        }
        return report.faults.contains { fault in
            (naming == .unsealed || fault.kind == .notProven || fault.kind.isTampering)
                && spot(fault.first) <= (file, line) && (file, line) <= spot(fault.last)
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
