import Logging
import POSIX

/// The first and the last seal in a file, by their form alone: enough to tell where in a log the file
/// belongs, and nothing about whether it can be believed.
struct SealRange {
    private let first: SealLine
    private let last: SealLine
    let sequences: ClosedRange<UInt64>

    /// Nil if there is no seal of these keys, or the numbers go backwards, as in no file that a log
    /// leaves behind.
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

    /// Whether the seals of another file follow these at once.
    func precedes(to other: SealRange) -> Bool { last.code == other.first.previous }

    /// The number of the first seal of any key; nil if there is none.
    static func firstSequence(in file: LogFile) -> UInt64? {
        var sequence: UInt64?
        forEachSeal(in: file) { seal in
            sequence = seal.sequence
            return false
        }
        return sequence
    }

    /// - Parameter body: returns false when it has seen enough.
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
