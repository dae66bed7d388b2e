import POSIX
import TestSupport
import Testing

@testable import Logging

final class LogStateTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = LogState.path(of: folder.path("app.log"))
    }

    private func state(_ sequence: UInt64) throws -> LogState {
        let text = Array(String(repeating: "4e", count: 32).utf8)
        let code = SealMAC(text.span)
        return LogState(
            head: SealHead(sequence: sequence, code: try #require(code)),
            generation: Int(sequence) * 2,
            size: Int(sequence) * 100)
    }

    private func write(_ sequences: ClosedRange<UInt64>) throws {
        var file = try LogStateFile(path, sealKey)
        for sequence in sequences { try file.write(state(sequence)) }
    }

    @Test func `the last written state of a log is read back`() throws {
        #expect(try LogState.read(from: path, sealKey) == nil)
        for sequence: UInt64 in 1...5 {
            try write(sequence...sequence)
            #expect(try LogState.read(from: path, sealKey) == state(sequence))
        }
        try write(6...9)
        #expect(try LogState.read(from: path, sealKey) == state(9))
        #expect(try folder.bytes(".app.log.state").count == 1024)
    }

    @Test func `an unchanged state is not written again`() throws {
        try write(1...2)
        let before = try folder.bytes(".app.log.state")
        try write(2...2)
        #expect(try folder.bytes(".app.log.state") == before)
    }

    @Test(arguments: 3...4 as ClosedRange<UInt64>)
    func `a slot torn at any byte makes the previous state count`(last: UInt64) throws {
        try write(1...(last - 1))
        let before = try folder.bytes(".app.log.state")
        try write(last...last)
        let after = try folder.bytes(".app.log.state")
        let changed = try #require(before.indices.first { before[$0] != after[$0] })
        let slot = changed / 512 * 512..<(changed / 512 + 1) * 512
        // The other slot is unchanged.
        #expect(before.indices.allSatisfy { slot.contains($0) || before[$0] == after[$0] })
        for cut in slot {
            try put(Array(after[..<cut] + before[cut...]))
            let found = try LogState.read(from: path, sealKey)
            #expect(try found == state(last - 1) || found == state(last))
            if cut < slot.lowerBound + 100 { #expect(try found == state(last - 1)) }
        }
        // The next state is written over the torn slot.
        try put(Array(after[..<(slot.lowerBound + 50)] + before[(slot.lowerBound + 50)...]))
        try write(last...last)
        #expect(try folder.bytes(".app.log.state") == after)
    }

    @Test func `a state with any changed bit is not read`() throws {
        try write(1...1)
        let bytes = try folder.bytes(".app.log.state")
        let text = String(decoding: bytes, as: UTF8.self)
        let end = try #require(text.firstRange(of: " check="))
        let length = text[..<end.upperBound].utf8.count + 43
        for index in 512..<length {
            var changed = bytes
            changed[index] ^= 1
            try put(changed)
            #expect(try LogState.read(from: path, sealKey) == nil)
        }
    }

    @Test(arguments: ["", "\n", "garbage", String(repeating: "x", count: 5000), " check= turn=1"])
    func `a file of other content has no state`(content: String) throws {
        try put(Array(content.utf8))
        #expect(try LogState.read(from: path, sealKey) == nil)
        try write(1...2)
        #expect(try LogState.read(from: path, sealKey) == state(2))
    }

    @Test func `a state of another key is not read`() throws {
        try write(1...2)
        let other = SealKey(secret: Array("another key".utf8).span)
        #expect(try LogState.read(from: path, other) == nil)
    }

    private func put(_ bytes: [UInt8]) throws {
        let file = try FileDescriptor.open(path, 0o1101, mode: 0o600)
        try file.write(bytes.span, at: 0)
    }
}
