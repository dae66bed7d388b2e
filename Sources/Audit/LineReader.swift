import Glibc
import POSIX

/// Cuts bytes into lines, whatever they are. Holds one buffer, however long the input and its lines:
/// a line that is longer than `longestLine` comes in pieces, so that whoever wants every byte gets
/// them, and whoever wants whole lines passes over it.
package struct LineReader: ~Copyable {
    /// Bytes of a line that is kept in one piece: eight times what the logger writes at most.
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

        package var isWhole: Bool { isBeginning && ending == .lineEnd }
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

    /// The next line, or piece of a long one; nil at the end.
    @_lifetime(&self)
    package mutating func next() throws(Errno) -> Line? {
        guard let (end, ending) = try findEnd() else { return nil }
        return line(upTo: end, ending)
    }

    /// Where the next line or piece ends in the buffer, filled as far as that takes.
    private mutating func findEnd() throws(Errno) -> (end: Int, Ending)? {
        while true {
            if let lineEnd = lineEnd() { return (lineEnd + 1, .lineEnd) }
            if end - start >= min(Self.longestLine, buffer.count) { return (end, .longer) }
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

    private mutating func lineEnd() -> Int? {
        let (from, end) = (searched, end)
        searched = end
        return unsafe buffer.span.withUnsafeBytes { bytes -> Int? in
            guard from < end, let base = bytes.baseAddress else { return nil }
            // Sound: the search stays inside the buffer, and the pointer inside this closure.
            let found = unsafe memchr(base + from, 0x0A, end - from)
            return unsafe found.map { unsafe UnsafeRawPointer($0) - base }
        }
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
        // Sound: a part of the buffer, used while it is lent.
        let count = try unsafe buffer.withUnsafeMutableBufferPointer { bytes throws(Errno) in
            var free = unsafe UnsafeMutableBufferPointer(rebasing: bytes[end...]).mutableSpan
            return try source.read(into: &free)
        }
        self.end += count
        isAtEnd = count == 0
    }
}
