import Logging
import POSIX

/// The first and the last seal in a file, by their form alone. That is enough to find the file's
/// place in a log, and says nothing about whether the seals are valid.
struct SealRange {
    private let first: SealLine
    private let last: SealLine
    let sequences: ClosedRange<UInt64>

    /// Returns nil if there is no seal of these keys, or if the last sequence number is below the
    /// first, which never happens in a file of a log.
    ///
    /// - Parameter keyIDs: nil for seals of any key.
    init?(of file: LogFile, keyIDs: [String]?) {
        var ends: (first: SealLine, last: SealLine)?
        Self.forEachSeal(in: file) { seal in
            if keyIDs?.contains(seal.keyID) ?? true { ends = (ends?.first ?? seal, seal) }
            return true
        }
        guard let (first, last) = ends, first.sequence <= last.sequence else { return nil }
        self.first = first
        self.last = last
        sequences = first.sequence...last.sequence
    }

    /// Whether the first seal of the other file directly follows the last seal of this one.
    func precedes(to other: SealRange) -> Bool { last.code == other.first.previous }

    /// The sequence number of the first seal of any key; nil if there is no seal.
    static func firstSequence(in file: LogFile) -> UInt64? {
        var sequence: UInt64?
        forEachSeal(in: file) { seal in
            sequence = seal.sequence
            return false
        }
        return sequence
    }

    /// - Parameter body: returns false to stop.
    private static func forEachSeal(in file: LogFile, _ body: (SealLine) -> Bool) {
        // A pipe can be read only once.
        guard file.status.isRegularFile else { return }
        var lines = LineReader(file.bytes())
        while let line = try? lines.next() {
            guard line.isWhole, ControlLine(line.bytes) == .seal, let seal = SealLine(line.bytes)
            else { continue }
            guard body(seal) else { return }
        }
    }
}
