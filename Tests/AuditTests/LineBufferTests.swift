import TestSupport
import Testing

@testable import Audit

@Suite("A line buffer")
struct LineBufferTests {
    @Test("gives the same lines wherever the bytes were cut", arguments: UInt64(0)..<10)
    func cuts(seed: UInt64) {
        var dice = Dice(seed: seed)
        let lines: [[UInt8]] = (0..<60).map { _ in
            let length = [0, 3, 200, 65_536, 65_537, 70_000, 400_000].randomElement(using: &dice)!
            return [UInt8](repeating: .random(in: 0x20...0x7E, using: &dice), count: length)
        }
        let stream = Array(lines.joined(separator: [0x0A])) + [0x0A, 0x61]
        var buffer = LineBuffer()
        var offset = 0
        var seen: [[UInt8]?] = []
        while offset < stream.count {
            let most = [1, 100, 65_536, 1_000_000].randomElement(using: &dice)!
            let count = buffer.fill { room in
                let count = min(room.count, most, stream.count - offset)
                for index in 0..<count { room[index] = stream[offset + index] }
                return count
            }
            #expect(count > 0)
            offset += count
            while let line = buffer.next() {
                switch line {
                case .whole(let line): seen.append(buffer.bytes(of: line).array)
                case .tooLong: seen.append(nil)
                }
            }
        }
        #expect(seen == lines.map { $0.count <= 65_536 ? $0 : nil })
        let (rest, nothing) = (buffer.takeRest(), buffer.takeRest())
        #expect(rest != nil && nothing == nil)
    }
}
