import Logging
import POSIX

/// The first seal in a file, by its form alone: enough to tell where in a log the file belongs, and
/// nothing about whether it can be believed.
enum SealEnds {
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
            guard line.isWhole, LogNotice(line.bytes) == .seal, let seal = SealLine(line.bytes)
            else { continue }
            guard body(seal) else { return }
        }
    }
}
