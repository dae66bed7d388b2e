import Audit
import JSON
import Logging
import Time

/// The bytes describe a changed copy of a sealed log of two files (numbers are hexadecimal):
///
/// | byte | meaning |
/// | --- | --- |
/// | 80, 81, … | a line of the original |
/// | FD | ends a file |
/// | FE and a byte | removes as many bytes from the end |
/// | FF and three bytes | changes one byte: its place (two bytes), and the bits to flip |
/// | any other | itself |
enum SealProperties {
    private static let key = SealKey(secret: Array("a key for tests of the verifier.".utf8).span)
    private static let verifier = LogVerifier(keys: [key])
    private static let log = SealedLog()

    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        var files = expanded(bytes)
        // The last file is the current one.
        while files.count < 2 { files.insert([], at: 0) }
        let named = files.enumerated().map { index, bytes in
            let isLast = index == files.count - 1
            return (
                name: isLast ? "app.log" : LogFileNames.archivePath(of: "app.log", index + 1),
                bytes: bytes
            )
        }
        let report = verifier.verify(named, state: log.head, isComplete: true)
        switch report.outcome {
        case .intact:
            // The seals cover the order of the lines, not the ends of the files.
            try require(Array(files.joined()) == log.bytes, "a changed log is intact")
            try require(report.faults.isEmpty && report.problems.isEmpty, "intact, but with faults")
        case .unsealed:
            try require(
                Array(files.joined()).starts(with: log.bytes), "a changed log is only unsealed")
        default: try require(files != log.files, "the original is not intact: \(report.text)")
        }
        try checkReport(report)

        // An incomplete log may lack lines at either end, but nowhere else.
        let part = verifier.verify(named)
        if part.outcome == .intact {
            try require(
                contains(log.bytes, Array(files.joined())), "a log with a gap is intact")
        }
        try checkReport(part)
        let withoutKey = LogVerifier(keys: []).verify(named)
        try require(withoutKey.outcome != .intact, "intact without a key")
    }

    private static func checkReport(_ report: VerificationReport) throws(PropertyFailure) {
        let text = report.text
        try require(!text.isEmpty, "the report is empty")
        try require(
            text.unicodeScalars.allSatisfy { $0 == "\n" || (0x20..<0x7F) ~= $0.value },
            "the report has characters that a terminal interprets: \(Array(text.utf8).shown)")
        let json = report.json
        guard case .object? = try? JSONValue(parsing: json.span) else {
            throw PropertyFailure("the report is not JSON: \(json.shown)")
        }
        try require(
            report.outcome != .tampered || !report.faults.isEmpty, "tampered, but without a fault")
    }

    private static func contains(_ whole: [UInt8], _ part: [UInt8]) -> Bool {
        guard part.count <= whole.count else { return false }
        return (0...(whole.count - part.count)).contains { whole[$0...].starts(with: part) }
    }

    private static func expanded(_ bytes: [UInt8]) -> [[UInt8]] {
        var files: [[UInt8]] = [[]]
        var rest = bytes[...]
        var steps = 0
        while let byte = rest.popFirst(), steps < 300, files.count < 8 {
            steps += 1
            let last = files.count - 1
            switch byte {
            case 0x80..<0xFD:
                let line = Int(byte - 0x80)
                if line < log.lines.count { files[last] += log.lines[line] }
            case 0xFD: files.append([])
            case 0xFE: files[last].removeLast(min(files[last].count, Int(rest.popFirst() ?? 0)))
            case 0xFF:
                let place = Int(rest.popFirst() ?? 0) << 8 | Int(rest.popFirst() ?? 0)
                let change = rest.popFirst() ?? 1
                if !files[last].isEmpty { files[last][place % files[last].count] ^= change }
            default: files[last].append(byte)
            }
        }
        return files
    }

    /// A log of a start, a rotation and a stop, with the three formats in turn.
    private struct SealedLog {
        private(set) var files: [[UInt8]] = [[]]
        private(set) var lines: [[UInt8]] = []
        private var chain = SealChain()
        private var now = Timestamp(milliseconds: 1_795_244_400_123)

        var head: SealHead { chain.head }
        var bytes: [UInt8] { Array(files.joined()) }

        init() {
            write(Opening(name: "log_open", file: "app.log", reason: nil))
            seal(.start)
            for index in 0..<5 { write(Note(number: Int64(index))) }
            seal(.interval)
            write(Note(number: 5))
            seal(.rotate)
            files.append([])
            write(
                Opening(
                    name: "log_rotate", file: LogFileNames.archivePath(of: "app.log", 1),
                    reason: "size"))
            for index in 6..<9 { write(Note(number: Int64(index))) }
            seal(.interval)
            seal(.silence)
            write(Note(number: 9))
            seal(.stop)
        }

        private var format: LogFormat { LogFormat.allCases[lines.count % 3] }

        private mutating func put(_ line: [UInt8]) {
            files[files.count - 1] += line
            lines.append(line)
            now = now + TimeAmount(milliseconds: 250)
        }

        private mutating func write(_ event: some LogEvent) {
            let line = LogLine.formatted(event, at: now, format)
            chain.update(line.span)
            put(line)
        }

        private mutating func seal(_ reason: SealChain.Reason) {
            let (line, head) = chain.seal(reason, key: key, at: now, format)
            put(line)
            chain.advance(to: head)
        }
    }

    /// The first line of a file.
    private struct Opening: LogEvent {
        let name: StaticString
        let file: String
        let reason: StaticString?
        var level: Level { .info }
        var area: Area { .log }
        func write(to line: inout LogLine) {
            line.field("file", file)
            if let reason { line.field("reason", reason) }
        }
    }

    private struct Note: LogEvent {
        let number: Int64
        var level: Level { .info }
        var area: Area { .security }
        var name: StaticString { "authn_login_success" }
        func write(to line: inout LogLine) { line.field("user", number) }
    }
}
