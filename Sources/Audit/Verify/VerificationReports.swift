import JSON

/// The results of a verification of several logs, in the order of the command line.
package struct VerificationReports: Sendable {
    package private(set) var all: [(name: String, report: VerificationReport)] = []

    mutating func add(_ name: String, _ report: VerificationReport) { all.append((name, report)) }

    /// The report that decides the exit code: first tampered, then not verifiable, then not proven.
    private var worst: VerificationReport? {
        let order: [Int32] = [1, 2, 3, 0]
        return all.map(\.report).min { a, b in
            order.firstIndex(of: a.outcome.exitCode)! < order.firstIndex(of: b.outcome.exitCode)!
        }
    }

    package var exitCode: Int32 { worst?.outcome.exitCode ?? 0 }

    /// The text for a terminal. With several logs, each log's name precedes its report.
    package var text: String {
        if all.count == 1 { return all[0].report.text }
        return all.map { EscapedText.visible($0.name) + "\n" + $0.report.text }.joined(
            separator: "\n")
    }

    /// One JSON object on one line, without a line end. For a single log it is that log's object.
    /// For several it has the worst outcome, the faults, problems, notes and files of all logs, and
    /// each log's own object in `logs`.
    package var json: [UInt8] {
        if all.count == 1 { return all[0].report.json }
        var merged = VerificationReport()
        merged.outcome = worst?.outcome ?? .intact
        for (_, report) in all {
            merged.faults += report.faults
            merged.unlistedFaultCount += report.unlistedFaultCount
            merged.problems += report.problems
            merged.notes += report.notes
            merged.files += report.files
            merged.lineCount += report.lineCount
            merged.sealCount += report.sealCount
        }
        if let first = all.first?.report {
            merged.firstSequence = first.firstSequence
            merged.head = first.head
            merged.from = first.from
            merged.to = first.to
        }
        var writer = JSONWriter(capacity: 4096)
        writer.beginObject()
        merged.writeMembers(to: &writer)
        writer.name("logs")
        writer.beginArray()
        for (name, report) in all {
            writer.beginObject()
            writer.name("log")
            writer.string(name)
            report.writeMembers(to: &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }
}
