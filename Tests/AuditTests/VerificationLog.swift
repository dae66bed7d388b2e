import Crypto
import Testing
import Time

@testable import Logging

/// A log in memory, written as the log writer does.
struct VerificationLog {
    struct File: Equatable {
        var name: String
        var lines: [[UInt8]]
        /// The bytes of all lines with their line ends.
        var bytes: [UInt8] { Array(lines.joined()) }
    }

    static let key = SealKey(secret: Array("a key for tests of the verifier.".utf8).span)

    private(set) var files: [File] = [File(name: "app.log", lines: [])]
    private(set) var chain = SealChain()
    var key = Self.key
    /// The lines use these formats in turn.
    private let formats: [LogFormat]
    private var lineCount = 0
    private var now = Timestamp(milliseconds: 1_795_244_400_123)
    private var generation = 0

    /// All lines in one format, or in all formats in turn.
    static let formatSets: [[LogFormat]] = LogFormat.allCases.map { [$0] } + [LogFormat.allCases]

    init(_ formats: [LogFormat] = [.text], after head: SealHead = .none) {
        self.formats = formats
        chain = SealChain(after: head)
    }

    /// As a server start finds a log whose last file ends at this byte: it continues from the last
    /// valid seal.
    init(continuing files: [File], cutAt end: Int, _ formats: [LogFormat] = [.text]) {
        self.formats = formats
        self.files = files
        generation =
            files.compactMap { LogFileNames.number(of: $0.name, "app.log", highest: 0) }.max() ?? 0
        let bytes = Array(files[files.count - 1].bytes[..<end])
        self.files[files.count - 1].lines = bytes.split(
            separator: 0x0A, omittingEmptySubsequences: false
        ).map { Array($0) + [0x0A] }
        // The rest is empty, or a line without its line end.
        let rest = self.files[files.count - 1].lines.removeLast().dropLast()
        if !rest.isEmpty { self.files[files.count - 1].lines.append(Array(rest)) }
        let seals = self.files.flatMap(\.lines).compactMap { line in
            line.last == 0x0A ? SealLine(Array(line.dropLast()).span) : nil
        }
        let found = self.files[files.count - 1].lines.reversed().prefix { line in
            line.last != 0x0A || SealLine(Array(line.dropLast()).span) == nil
        }
        chain = SealChain(after: seals.last?.head ?? .none)
        for line in found.reversed() { chain.update(line.span) }
    }

    /// Three files of four sealed batches each: a start, two rotations, a shutdown.
    static func sample(_ formats: [LogFormat] = [.text]) -> VerificationLog {
        var log = VerificationLog(formats)
        log.start()
        for file in 1...3 {
            for batch in 1...4 {
                log.write(4, "\(file).\(batch)")
                log.seal()
            }
            if file < 3 { log.rotate() }
        }
        log.seal(.stop)
        return log
    }

    var head: SealHead { chain.head }

    private mutating func nextFormat() -> LogFormat {
        lineCount += 1
        return formats[lineCount % formats.count]
    }

    mutating func pass(seconds: Int64) { now = now + .seconds(seconds) }

    mutating func put(_ bytes: [UInt8]) {
        chain.update(bytes.span)
        if let last = files[files.count - 1].lines.last, last.last != 0x0A {
            files[files.count - 1].lines[files[files.count - 1].lines.count - 1] += bytes
        } else {
            files[files.count - 1].lines.append(bytes)
        }
    }

    mutating func write(_ event: some LogEvent) {
        put(LogLine.formatted(event, at: now, nextFormat()))
    }

    mutating func write(_ count: Int, _ word: String) {
        for index in 0..<count {
            now = now + TimeAmount(milliseconds: 10)
            write(Note(word: "\(word).\(index)"))
        }
    }

    mutating func seal(_ reason: SealChain.Reason = .interval) {
        let (line, head) = chain.seal(reason, key: key, at: now, nextFormat())
        files[files.count - 1].lines.append(line)
        chain.advance(to: head)
    }

    mutating func rotate() {
        seal(.rotate)
        let full = moveAway()
        write(LogRotated(file: full, reason: "size"))
    }

    /// Gives the file its number, and continues in a new file.
    @discardableResult
    mutating func moveAway() -> String {
        generation += 1
        let full = LogFileNames.archivePath(of: "app.log", generation)
        files[files.count - 1].name = full
        files.append(File(name: "app.log", lines: []))
        return full
    }

    /// As after another program moved the file away.
    mutating func reopen() {
        seal(.rotate)
        files[files.count - 1].name = "moved.\(files.count)"
        files.append(File(name: "app.log", lines: []))
        write(LogReopened(reason: "signal", level: .info))
    }

    /// As a start after a kill: repairs what the process left.
    mutating func start() {
        let isTorn = files[files.count - 1].lines.last.map { $0.last != 0x0A } ?? false
        if isTorn { put([0x0A]) }
        write(LogOpened(file: "app.log"))
        if isTorn { write(LogRecovered(reason: "torn_line", dropped: 0)) }
        seal(.start)
    }

    /// Removes the oldest full files.
    mutating func remove(_ count: Int) {
        let newest = files[count - 1]
        let last = newest.lines.last.flatMap { SealLine(Array($0.dropLast()).span) }
        write(
            LogRetention(count: count, file: newest.name, sequence: last?.sequence, reason: "count")
        )
        seal(.rotate)
        files.removeFirst(count)
    }
}

struct Note: LogEvent {
    let word: String
    var level: Level { .info }
    var area: Area { .security }
    var name: StaticString { "authn_login_success" }
    func write(to line: inout LogLine) { line.field("user", word) }
}
