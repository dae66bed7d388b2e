import Logging

extension VerificationReport {
    /// For a terminal: one line a fault, then what was looked at. Every character that is not plain
    /// stands as an escape, wherever it came from.
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

    /// The outcome in a sentence.
    package var verdict: String {
        switch outcome {
        case .intact: "intact: every line is sealed, and every seal is right"
        case .tampered:
            "TAMPERED: \(counted(faults.count(where: \.kind.isTampering) + unlistedFaultCount, "fault"))"
        case .unsealed: "intact as far as it is sealed; lines behind the last seal are not sealed"
        case .notProven:
            "intact, but not all of it is proven: a start found lines that were not sealed, written "
                + "by a server that was killed or by others; they are named above"
        case .endNotProven:
            "intact, end not proven: without a state file of the key in use, or an anchor that is the head, "
                + "nobody can tell whether lines are missing behind the last seal"
        case .wrongKey: "wrong key: there are seals, but none is of a key that was given"
        case .unknownKey:
            "cannot tell: lines are sealed with a key that was not given; in the rest there is no fault"
        case .neverSealed: "there is no seal: this log has never been sealed"
        case .unreadable: "not everything could be read; what could shows no fault"
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

/// `1 line`, `2 lines`
func counted(_ count: some BinaryInteger, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
}
