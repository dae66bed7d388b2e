import POSIX

/// Cuts a stream of bytes into lines, in memory of a fixed size.
///
/// `fill` and `next` take turns: `next` gives lines until it has none, then there is room again. A
/// line past `longestLine` is told once it has ended, and its bytes are kept by nobody.
struct LineBuffer: ~Copyable {
    /// Eight times what the log writes.
    static let longestLine = 64 * 1024
    private static let capacity = 256 * 1024

    enum Line: Equatable {
        /// Where it stands, without its line end; good until the next `fill`.
        case whole(Range<Int>)
        case tooLong
    }

    private var bytes = [UInt8](repeating: 0, count: LineBuffer.capacity)
    /// What was not given out yet.
    private var rest = 0..<0
    /// Up to here the rest has no line end.
    private var searched = 0
    /// Inside a line that is too long.
    private var isSkipping = false

    /// Bytes that no line has taken yet.
    var count: Int { rest.count }

    @_lifetime(borrow self)
    func bytes(of line: Range<Int>) -> Span<UInt8> { bytes.span.extracting(line) }

    /// Has `read` write into the free room, and returns what it returns: how many bytes it wrote.
    mutating func fill<Failure>(
        _ read: (inout MutableSpan<UInt8>) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        if rest.lowerBound > 0 {
            let count = rest.count
            // Less than a line: `next` had no more.
            for index in 0..<count { bytes[index] = bytes[rest.lowerBound + index] }
            searched -= rest.lowerBound
            rest = 0..<count
        }
        let start = rest.upperBound
        var all = bytes.mutableSpan
        var room = all._mutatingExtracting(start...)
        let count = try read(&room)
        rest = 0..<(start + count)
        return count
    }

    /// The next line that has its end; nil if there is none yet.
    mutating func next() -> Line? {
        guard
            let end = bytes.span.firstIndex(
                of: UInt8(ascii: "\n"), in: searched..<rest.upperBound)
        else {
            searched = rest.upperBound
            if rest.count > Self.longestLine {
                isSkipping = true
                rest = rest.upperBound..<rest.upperBound
            }
            return nil
        }
        let line = rest.lowerBound..<end
        rest = (end + 1)..<rest.upperBound
        searched = end + 1
        return told(line)
    }

    /// What is left at the end of the stream: a line without an end; nil if there is nothing.
    mutating func takeRest() -> Line? {
        defer { clear() }
        return rest.isEmpty && !isSkipping ? nil : told(rest)
    }

    /// Lets go of the rest, to be read again.
    mutating func dropRest() {
        rest = 0..<0
        searched = 0
    }

    /// Begins with another stream.
    mutating func clear() {
        dropRest()
        isSkipping = false
    }

    private mutating func told(_ line: Range<Int>) -> Line {
        defer { isSkipping = false }
        return isSkipping || line.count > Self.longestLine ? .tooLong : .whole(line)
    }
}
