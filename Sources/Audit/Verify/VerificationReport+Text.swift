import Logging

extension VerificationReport {
    /// The text for a terminal: one line per fault, then what was read. Characters that could
    /// affect the terminal are escaped, wherever they come from.
    package var text: String {
        var lines = faults.map(\.text)
        if unlistedFaultCount > 0 {
            lines.append("and \(counted(unlistedFaultCount, "more fault"))")
        }
        lines += problems.map { "cannot be read: \($0)" }
        lines += notes.map { "note: \($0)" }
        lines.append(
            "\(counted(files.count, "file")), \(counted(lineCount, "line")), "
                + counted(sealCount, "seal"))
        if let from, let to { lines.append("sealed from \(from) to \(to)") }
        if let head { lines.append("head \(head.text)") }
        lines.append(verdict)
        return lines.map { EscapedText.visible($0) + "\n" }.joined()
    }

    /// The outcome as a sentence.
    package var verdict: String {
        switch outcome {
        case .intact: "intact: every line is sealed, and every seal is valid"
        case .tampered:
            "TAMPERED: "
                + counted(faults.count(where: \.kind.isTampering) + unlistedFaultCount, "fault")
        case .unsealed:
            "intact as far as it is sealed; the lines after the last seal are not sealed yet"
        case .notProven:
            "intact, but not proven in full: a start found lines that were not sealed, written by "
                + "a server that was killed or by others; see the lines listed above"
        case .endNotProven:
            "intact, but the end is not proven: pass --anchor or keep the state file to detect a "
                + "truncated log"
        case .wrongKey:
            "wrong key: the log is sealed, but not with a key that was given; name the file of its "
                + "key with --key-file"
        case .unknownKey:
            "cannot tell: lines are sealed with a key that was not given, and the rest shows no "
                + "fault; name the file of that key with --key-file"
        case .neverSealed: "no seal found: this log has never been sealed"
        case .unreadable: "incomplete: some files could not be read; the rest shows no fault"
        }
    }
}

extension VerificationReport.Fault {
    /// `app.log.000002: lines 101-187: edited: … (seals 41 to 42)`
    package var text: String { "\(place): \(kind.rawValue): \(sentence)\(sealText)" }

    private var place: String {
        if first.file != last.file {
            return "\(first.file): line \(first.line) to \(last.file): line \(last.line)"
        }
        if first.line == 0 { return first.file }
        return first.line == last.line
            ? "\(first.file): line \(first.line)"
            : "\(first.file): lines \(first.line)-\(last.line)"
    }

    private var sealText: String {
        guard let seals else { return "" }
        return seals.lowerBound == seals.upperBound
            ? " (seal \(seals.lowerBound))" : " (seals \(seals.lowerBound) to \(seals.upperBound))"
    }
}

/// `1 line`, `2 lines`.
func counted(_ count: some BinaryInteger, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
}
