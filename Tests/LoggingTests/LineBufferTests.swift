import POSIX
import TestSupport
import Testing

@testable import Logging

@Suite("Lines that wait")
struct LineBufferTests {
    private func content(_ buffer: LineBuffer) -> [UInt8] {
        buffer.withBytes { Array(copying: $0) }
    }

    @Test("are what was put there, less what was taken, whatever the order of the two")
    func property() {
        var dice = SeededGenerator(seed: 10)
        let capacity = 4096
        for _ in 0..<50 {
            var buffers = [LineBuffer(capacity: capacity), LineBuffer(capacity: capacity)]
            var models: [[UInt8]] = [[], []]
            for _ in 0..<300 {
                let index = Int.random(in: 0...1, using: &dice)
                switch Int.random(in: 0..<10, using: &dice) {
                case 0..<6:
                    let room = capacity - models[index].count
                    let count = Int.random(in: 0...min(room, 700), using: &dice)
                    let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &dice) }
                    buffers[index].append(bytes.span)
                    models[index] += bytes
                case 6..<8:
                    let count = Int.random(in: 0...models[index].count, using: &dice)
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

    @Test("may fill the place to its last byte, however it was used before")
    func full() {
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

    @Test("are read as they were written after the place has been given back to the system")
    func givenBack() {
        let buffer = LineBuffer(capacity: 4 << 20)
        let bytes = [UInt8](repeating: 7, count: 3 << 20)
        for _ in 0..<3 {
            buffer.append(bytes.span)
            #expect(content(buffer) == bytes)
            buffer.removeAll()
            #expect(buffer.isEmpty)
        }
    }

    @Test("go to a descriptor as they stand, and no byte of a line that is not whole")
    func writeOut() throws {
        let pipe = try Pipe()
        let buffer = LineBuffer(capacity: 4096)
        buffer.append(Array("one\ntwo\nthree\nfo".utf8).span)
        buffer.removeFirst(4)
        buffer.writeOut(to: pipe.writingEnd.rawValue)
        var bytes = [UInt8](repeating: 0, count: 100)
        var span = bytes.mutableSpan
        let count = try pipe.readingEnd.read(into: &span)
        #expect(String(decoding: bytes[..<count], as: UTF8.self) == "two\nthree\n")
        // Without a whole line there is nothing to say.
        let other = LineBuffer(capacity: 4096)
        other.append(Array("fo".utf8).span)
        other.writeOut(to: pipe.writingEnd.rawValue)
        var rest = bytes.mutableSpan
        #expect(throws: Errno.wouldBlock) { try pipe.readingEnd.read(into: &rest) }
    }
}
