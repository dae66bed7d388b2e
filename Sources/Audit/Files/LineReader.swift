import Glibc
import POSIX

/// Cuts bytes into lines, whatever they are. Holds one buffer, however long the input and its lines:
/// a line that is longer than `longestLine` comes in pieces, so that whoever wants every byte gets
/// them, and whoever wants whole lines passes over it.
package struct LineReader: ~Copyable {
    /// Bytes of a line that counts as one: eight times what the logger writes at most.
    package static let longestLine = 65_536

    package enum Ending: Sendable {
        case lineEnd
        /// The input ends inside the line; behind a piece of one there may be no more bytes.
        case endOfInput
        /// More of the line follows in the next piece.
        case longer
    }

    /// Good until the next one is read.
    package struct Line: ~Escapable {
        /// With its end, if that was there.
        package let raw: Span<UInt8>
        /// From 1.
        package let number: Int
        /// Bytes of the input before these.
        package let offset: Int
        /// False for the further pieces of a long line.
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

        /// Without its end.
        package var bytes: Span<UInt8> {
            @_lifetime(copy self)
            get { ending == .lineEnd ? raw.extracting(droppingLast: 1) : raw }
        }

        /// Whether this is a line with its end, and no longer than it may be.
        package var isWhole: Bool { ending == .lineEnd && isShort }

        /// Whether this is all that there is of a line that is no longer than it may be.
        package var isShort: Bool {
            isBeginning && ending != .longer && bytes.count <= LineReader.longestLine
        }
    }

    private let source: any ByteSource
    private var buffer: [UInt8]
    private var start = 0
    private var end = 0
    /// How far the line that begins at `start` has been searched for its end.
    private var searched = 0
    private var isAtEnd = false
    private var number = 0
    private var offset = 0
    private var isInsideLine = false

    /// - Parameter bufferSize: bytes read at a time; lines longer than that come in pieces, too.
    package init(_ source: any ByteSource, bufferSize: Int = 4 * Self.longestLine) {
        self.source = source
        buffer = [UInt8](repeating: 0, count: max(bufferSize, 1))
    }

    /// - Parameter isInsideLine: the source begins with a further piece of a long line.
    init(_ source: any ByteSource, isInsideLine: Bool) {
        self.init(source)
        self.isInsideLine = isInsideLine
    }

    /// The next line, or piece of a long one; nil at the end.
    @_lifetime(&self)
    package mutating func next() throws(Errno) -> Line? {
        guard let (end, ending) = try findEnd() else { return nil }
        return line(upTo: end, ending)
    }

    /// Where the next line or piece ends in the buffer, filled as far as that takes.
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
            // Sound: both ranges lie in the buffer; memmove lets them overlap.
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
