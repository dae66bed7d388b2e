import TestSupport
import Testing

@testable import HTTP

/// The reference implementation: it examines one byte at a time.
private func byteByByte(_ bytes: [UInt8], from start: Int, limit: Int) -> LineScanner.End {
    for index in start..<max(start, min(bytes.count, limit)) {
        switch bytes[index] {
        case 0x0D where index + 1 == bytes.count: return .needsMore(index)
        case 0x0D: return bytes[index + 1] == 0x0A ? .found(index) : .bareLineEnd
        case 0x0A: return .bareLineEnd
        case 0x09, 0x20...0x7E, 0x80...0xFF: continue
        default: return .controlCharacter
        }
    }
    return .needsMore(min(bytes.count, limit))
}

private func scanned(_ bytes: [UInt8], from start: Int = 0, limit: Int = .max) -> LineScanner.End {
    LineScanner.lineBreak(in: bytes.span, from: start, limit: limit)
}

struct LineScannerTests {
    // Neighboring bytes matter: eight bytes are tested together, and a borrow propagates through
    // them.
    @Test(arguments: [0x09, 0x20, 0x21, 0x78, 0x7E, 0x80, 0x81, 0x9F, 0xA0, 0xFF] as [UInt8])
    func `every byte is classified at every offset, whatever its neighbors are`(filler: UInt8) {
        for byte in UInt8.min...UInt8.max {
            for place in 0...20 {
                var line = [UInt8](repeating: filler, count: 24) + wire("\r\nab")
                line[place] = byte
                for start in [0, 1, 7].filter({ $0 <= place }) {
                    let expected: LineScanner.End =
                        switch byte {
                        case 0x09, 0x20...0x7E, 0x80...0xFF: .found(24)
                        case 0x0A, 0x0D: .bareLineEnd
                        default: .controlCharacter
                        }
                    if scanned(line, from: start) != expected {
                        Issue.record("\(byte) at \(place), from \(start)")
                    }
                }
            }
        }
    }

    @Test(arguments: 0...40)
    func `a line end is found at every offset`(place: Int) {
        let line = [UInt8](repeating: 0x61, count: place)
        #expect(scanned(line + wire("\r\n")) == .found(place))
        #expect(scanned(line + wire("\r\n\r\n\0")) == .found(place))
        #expect(scanned(line + wire("\r")) == .needsMore(place))
        #expect(scanned(line) == .needsMore(place))
        #expect(scanned(line + wire("\n")) == .bareLineEnd)
        #expect(scanned(line + wire("\ra")) == .bareLineEnd)
    }

    @Test(arguments: 0...20)
    func `the search stops at the limit`(limit: Int) {
        let line = [UInt8](repeating: 0x61, count: limit)
        #expect(scanned(line + wire("\0"), limit: limit) == .needsMore(limit))
        #expect(scanned(line + wire("aaaaaaaaaaaa\0"), limit: limit) == .needsMore(limit))
        #expect(scanned(line + wire("\0"), limit: limit + 1) == .controlCharacter)
        #expect(scanned(line + wire("\r\n"), limit: limit + 1) == .found(limit))
        #expect(scanned(line, from: limit, limit: limit) == .needsMore(limit))
    }

    @Test(arguments: 0..<20)
    func `the result equals that of a byte-by-byte loop`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let alphabet = wire("aaaaaaaaaaaaaaaa \t~\u{80}\u{FF}\u{9F}!\r\n\0\u{1F}\u{7F}")
        for _ in 0..<500 {
            let count = Int.random(in: 0...40, using: &generator)
            let bytes = (0..<count).map { _ in alphabet.randomElement(using: &generator)! }
            let start = Int.random(in: 0...count, using: &generator)
            let limit = Int.random(in: start...50, using: &generator)
            let end = scanned(bytes, from: start, limit: limit)
            #expect(end == byteByByte(bytes, from: start, limit: limit))
        }
    }
}
