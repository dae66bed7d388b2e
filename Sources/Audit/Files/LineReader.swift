import Glibc
import POSIX

/// Cuts any sequence of bytes into lines. Memory use is one buffer, independent of the length of
/// the input and of its lines. A line longer than `longestLine` is returned in pieces: a caller
/// that needs every byte gets them all, and a caller that needs complete lines skips the pieces.
package struct LineReader: ~Copyable {
    /// The longest line in bytes: eight times the most that the logger writes.
    package static let longestLine = 65_536

    package enum Ending: Sendable {
        case lineEnd
        /// The input ends inside the line. After a piece of a long line, the last piece may be
        /// empty.
        case endOfInput
        /// The next piece continues the line.
        case longer
    }

    /// A line or a piece of one; valid until the next call of `next()`.
    package struct Line: ~Escapable {
        /// The bytes with the line end, if there is one.
        package let raw: Span<UInt8>
        /// The line's number; counts from 1.
        package let number: Int
        /// Offset of `raw` in the input.
        package let offset: Int
        /// False for the second and later pieces of a long line.
        package let isBeginning: Bool
        package let ending: Ending

        @_lifetime(copy raw)
        fileprivate init(
            _ raw: Span<UInt8>, number: Int, offset: Int, isBeginning: Bool, _ ending: Ending
        ) {
            self.raw = raw
            self.number = number
            self.offset = offset
            self.isBeginning = isBeginning
            self.ending = ending
        }

        /// The bytes without the line end.
        package var bytes: Span<UInt8> {
            @_lifetime(copy self)
            get { ending == .lineEnd ? raw.extracting(droppingLast: 1) : raw }
        }

        /// Whether this is a complete line with its line end, within the length limit.
        package var isWhole: Bool { ending == .lineEnd && isShort }

        /// Whether these are all bytes of a line, with or without a line end, within the length
        /// limit.
        package var isShort: Bool {
            isBeginning && ending != .longer && bytes.count <= LineReader.longestLine
        }
    }

    private let source: any ByteSource
    private var buffer: [UInt8]
    private var start = 0
    private var end = 0
    /// Position up to which the line that begins at `start` has been searched for its end.
    private var searched = 0
    private var isAtEnd = false
    private var number = 0
    private var offset = 0
    private var isInsideLine = false

    /// - Parameter bufferSize: the size of the buffer in bytes. Lines longer than that are returned
    ///   in pieces, too.
    package init(_ source: any ByteSource, bufferSize: Int = 4 * Self.longestLine) {
        self.source = source
        buffer = [UInt8](repeating: 0, count: max(bufferSize, 1))
    }

    /// - Parameter isInsideLine: true if the source begins in the middle of a long line.
    init(_ source: any ByteSource, isInsideLine: Bool) {
        self.init(source)
        self.isInsideLine = isInsideLine
    }

    /// The next line, or the next piece of a long one; nil at the end of the input.
    /// - Throws: the error of the source.
    @_lifetime(&self)
    package mutating func next() throws(Errno) -> Line? {
        guard let (end, ending) = try findEnd() else { return nil }
        return line(upTo: end, ending)
    }

    /// The end of the next line or piece in the buffer. Reads more input as needed.
    private mutating func findEnd() throws(Errno) -> (end: Int, Ending)? {
        while true {
            let newline = buffer.span.firstIndex(of: UInt8(ascii: "\n"), in: searched..<end)
            if let newline { return (newline + 1, .lineEnd) }
            searched = end
            if end - start > Self.longestLine || end - start == buffer.count {
                return (end, .longer)
            }
            if isAtEnd { return start < end || isInsideLine ? (end, .endOfInput) : nil }
            try fill()
        }
    }

    @_lifetime(&self)
    private mutating func line(upTo next: Int, _ ending: Ending) -> Line {
        let (first, wasInside, position) = (start, isInsideLine, offset)
        if !wasInside { number += 1 }
        isInsideLine = ending == .longer
        offset += next - first
        start = next
        searched = next
        return Line(
            buffer.span.extracting(first..<next), number: number, offset: position,
            isBeginning: !wasInside, ending)
    }

    private mutating func fill() throws(Errno) {
        if start > 0 {
            let (from, count) = (start, end - start)
            // Sound: both ranges are inside the buffer, and memmove allows them to overlap.
            unsafe buffer.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                _ = unsafe memmove(base, base + from, count)
            }
            (start, end, searched) = (0, count, count)
        }
        let (source, end) = (source, end)
        var all = buffer.mutableSpan
        var free = all._mutatingExtracting(end...)
        let count = try source.read(into: &free)
        self.end += count
        isAtEnd = count == 0
    }
}
