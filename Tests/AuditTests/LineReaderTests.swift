import Audit
import POSIX
import TestSupport
import Testing

/// Returns a random number of bytes per read.
private final class RandomlySizedBytes: ByteSource {
    private let source: MemoryBytes
    private var dice: SeededGenerator

    init(_ bytes: [UInt8], seed: UInt64) {
        source = MemoryBytes(bytes)
        dice = SeededGenerator(seed: seed)
    }

    func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        let most = [1, 100, 65_536, 1_000_000].randomElement(using: &dice)!
        var part = buffer._mutatingExtracting(0..<min(buffer.count, most))
        return try source.read(into: &part)
    }
}

struct LineReaderTests {
    @Test
    func `the reader returns lines without their ends, with their numbers and offsets`() throws {
        var reader = LineReader(MemoryBytes(Array("one\n\nthree".utf8)))
        var seen: [String] = []
        while let line = try reader.next() {
            let text = String(decoding: [UInt8](copying: line.bytes), as: UTF8.self)
            seen.append("\(line.number) \(line.offset) \(text) \(line.ending)")
        }
        #expect(seen == ["1 0 one lineEnd", "2 4  lineEnd", "3 5 three endOfInput"])
        var empty = LineReader(MemoryBytes([]))
        let isEmpty = try empty.next() == nil
        #expect(isEmpty)
    }

    @Test func `a long line comes in pieces, none longer than the buffer`() throws {
        let long = [UInt8](repeating: 0x78, count: 1_000_000)
        var reader = LineReader(MemoryBytes(long + Array("\nshort\n".utf8)))
        var count = 0
        var isWhole: [Bool] = []
        while let line = try reader.next() {
            let (length, number) = (line.bytes.count, line.number)
            #expect(length <= 4 * LineReader.longestLine)
            if number == 1 { count += length }
            if line.ending == .lineEnd { isWhole.append(line.isWhole) }
        }
        #expect(count == long.count)
        #expect(isWhole == [false, true])
    }

    @Test(arguments: [1, 7, 100, 4096])
    func `the lines do not depend on the size of the buffer`(size: Int) throws {
        let bytes = Array(
            "one\n\ntwo\r\n\u{0}\n\(String(repeating: "long ", count: 300))\nno end".utf8)
        var expected = LineReader(MemoryBytes(bytes))
        var pieces = LineReader(MemoryBytes(bytes), bufferSize: size)
        var line: [UInt8] = []
        while let piece = try pieces.next() {
            if piece.isBeginning { line = [] }
            line.append(copying: piece.raw)
            guard piece.ending != .longer else { continue }
            guard let other = try expected.next() else {
                Issue.record("a line too many")
                return
            }
            #expect(line == [UInt8](copying: other.raw))
            let (number, end) = (other.number, other.offset + other.raw.count)
            #expect(piece.number == number)
            #expect(piece.offset + piece.raw.count == end)
            #expect(piece.ending == other.ending)
        }
        let isAtEnd = try expected.next() == nil
        #expect(isAtEnd)
    }

    @Test(arguments: UInt64(0)..<10)
    func `lines over the length limit are recognized however the bytes arrive`(seed: UInt64) throws
    {
        var dice = SeededGenerator(seed: seed)
        let lines: [[UInt8]] = (0..<60).map { _ in
            let length = [0, 3, 200, 65_536, 65_537, 70_000, 400_000].randomElement(using: &dice)!
            return [UInt8](repeating: .random(in: 0x20...0x7E, using: &dice), count: length)
        }
        let bytes = Array(lines.joined(separator: [0x0A])) + [0x0A, 0x61]
        var reader = LineReader(RandomlySizedBytes(bytes, seed: seed))
        var seen: [[UInt8]?] = []
        var rest: [UInt8] = []
        while let line = try reader.next() {
            if line.isWhole {
                seen.append([UInt8](copying: line.bytes))
            } else if line.ending == .endOfInput, line.isShort {
                rest = [UInt8](copying: line.bytes)
            } else if line.isBeginning {
                seen.append(nil)
            }
        }
        #expect(seen == lines.map { $0.count <= LineReader.longestLine ? $0 : nil })
        #expect(rest == [0x61])
    }
}
