import POSIX
import TestSupport
import Testing

@testable import Logging

struct LineBufferTests {
    private func content(_ buffer: LineBuffer) -> [UInt8] {
        buffer.withBytes { Array(copying: $0) }
    }

    @Test func `a line buffer has what was appended less what was removed, in any order`() {
        var generator = SeededGenerator(seed: 10)
        let capacity = 4096
        for _ in 0..<50 {
            var buffers = [LineBuffer(capacity: capacity), LineBuffer(capacity: capacity)]
            var models: [[UInt8]] = [[], []]
            for _ in 0..<300 {
                let index = Int.random(in: 0...1, using: &generator)
                switch Int.random(in: 0..<10, using: &generator) {
                case 0..<6:
                    let space = capacity - models[index].count
                    let count = Int.random(in: 0...min(space, 700), using: &generator)
                    let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator)
                    }
                    buffers[index].append(bytes.span)
                    models[index] += bytes
                case 6..<8:
                    let count = Int.random(in: 0...models[index].count, using: &generator)
                    buffers[index].removeFirst(count)
                    models[index].removeFirst(count)
                case 8:
                    guard models[0].count + models[1].count <= capacity else { continue }
                    buffers[index].takeAll(of: buffers[1 - index])
                    models[index] += models[1 - index]
                    models[1 - index] = []
                default:
                    buffers.swapAt(0, 1)
                    models.swapAt(0, 1)
                }
                for index in 0...1 {
                    #expect(content(buffers[index]) == models[index])
                    #expect(buffers[index].count == models[index].count)
                    #expect(buffers[index].isEmpty == models[index].isEmpty)
                }
            }
        }
    }

    @Test func `a line buffer can be filled to its last byte after any use`() {
        let buffer = LineBuffer(capacity: 4096)
        let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 / 7) }
        buffer.append(bytes.span)
        #expect(content(buffer) == bytes)
        buffer.removeFirst(4095)
        buffer.append(bytes.span.extracting(0..<4095))
        #expect(content(buffer) == Array(bytes[4095...]) + Array(bytes[..<4095]))
        buffer.removeFirst(4096)
        #expect(buffer.isEmpty)
        buffer.append(bytes.span)
        #expect(content(buffer) == bytes)
    }

    @Test func `a line buffer works after its memory was returned to the system`() {
        let buffer = LineBuffer(capacity: 4 << 20)
        let bytes = [UInt8](repeating: 7, count: 3 << 20)
        for _ in 0..<3 {
            buffer.append(bytes.span)
            #expect(content(buffer) == bytes)
            buffer.removeAll()
            #expect(buffer.isEmpty)
        }
    }

    @Test func `writeOut writes complete lines and no byte of an incomplete one`() throws {
        let pipe = try Pipe()
        let buffer = LineBuffer(capacity: 4096)
        buffer.append(Array("one\ntwo\nthree\nfo".utf8).span)
        buffer.removeFirst(4)
        buffer.writeOut(to: pipe.writingEnd.rawValue)
        var bytes = [UInt8](repeating: 0, count: 100)
        var span = bytes.mutableSpan
        let count = try pipe.readingEnd.read(into: &span)
        #expect(String(decoding: bytes[..<count], as: UTF8.self) == "two\nthree\n")
        // Without a complete line nothing is written.
        let other = LineBuffer(capacity: 4096)
        other.append(Array("fo".utf8).span)
        other.writeOut(to: pipe.writingEnd.rawValue)
        var rest = bytes.mutableSpan
        #expect(throws: Errno.wouldBlock) { try pipe.readingEnd.read(into: &rest) }
    }
}
