import Logging
import POSIX
import TestSupport
import Time

/// The key of the sealed logs in these tests.
let sealKey = SealKey(secret: Array("a key for the tests of the seals".utf8).span)

/// A sealed log as read by an independent verifier that has the key.
struct SealedLog {
    private(set) var seals: [SealLine] = []
    /// Descriptions of the faults.
    private(set) var faults: [String] = []
    /// Lines after the last seal.
    private(set) var openCount: UInt64 = 0

    /// - Parameter files: The log's files, the oldest first.
    init(_ files: [[UInt8]], _ key: SealKey = sealKey) {
        for (index, bytes) in files.enumerated() {
            read(bytes, key, "file \(index)")
            if openCount > 0, index < files.count - 1 {
                faults.append("file \(index) ends with \(openCount) lines without a seal")
            }
        }
    }

    private mutating func read(_ bytes: [UInt8], _ key: SealKey, _ file: String) {
        var chain = SealChain()
        /// The chain for the case that the previous seal was read as a torn line, because its line
        /// end was missing.
        var withSealBefore: SealChain?
        var start = 0
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = bytes.span.extracting(start..<(end + 1))
            let text = bytes.span.extracting(start..<end)
            start = end + 1
            guard let seal = SealLine(text) else {
                chain.update(line)
                withSealBefore?.update(line)
                continue
            }
            let coded = text.extracting(0..<seal.codedCount)
            func isValid(_ chain: SealChain) -> Bool {
                seal.lineCount == chain.lineCount && seal.sum == chain.sum
                    && chain.code(key, after: seal.previous, seal.sequence, closing: coded)
                        == seal.code
            }
            if let withSealBefore, !isValid(chain), isValid(withSealBefore) {
                seals.removeLast()
            } else if seal.keyID == key.id, !isValid(chain) {
                faults.append("\(file): the code of seal \(seal.sequence) is wrong")
            }
            if let last = seals.last {
                if seal.sequence != last.sequence + 1 {
                    faults.append("\(file): seal \(seal.sequence) follows \(last.sequence)")
                } else if seal.previous != last.code {
                    faults.append("\(file): seal \(seal.sequence) is of another chain")
                }
            }
            seals.append(seal)
            chain.update(line)
            withSealBefore = chain
            chain = SealChain()
        }
        openCount = chain.lineCount
        if start < bytes.count { faults.append("\(file) ends inside a line") }
    }

    var sequences: [UInt64] { seals.map(\.sequence) }
}

extension TemporaryFolder {
    func bytes(_ name: String) throws -> [UInt8] { Array(try content(name).utf8) }

    /// Reads the log's files.
    func sealedLog(_ key: SealKey = sealKey) throws -> SealedLog {
        SealedLog(try logFiles.map { try bytes($0) }, key)
    }

    func lines(_ name: String) throws -> [String] {
        try content(name).split(separator: "\n").map(String.init)
    }
}

/// A clock that the test sets forward or back.
final class TestClock: Sendable {
    private let time: Monitor<Timestamp>

    init(_ start: Timestamp = someTime) { time = Monitor(start) }

    var clock: WallClock { WallClock { self.time.withLock { $0 } } }

    func advance(_ span: TimeAmount) { time.withLock { $0 = $0 + span } }
}

extension LogOptions {
    /// Adds seals, at most one in each `interval`.
    func sealed(every interval: TimeAmount = .seconds(1)) -> LogOptions {
        var options = self
        options.seal = Seal(key: sealKey, interval: interval)
        return options
    }
}

/// Copies the files that a killed process would leave to another folder.
func copy(of folder: TemporaryFolder) throws -> TemporaryFolder {
    let copy = try TemporaryFolder()
    for name in folder.allNames where !name.hasSuffix(".lock") {
        let file = try FileDescriptor.open(copy.path(name), 0o101, mode: 0o600)
        try file.write(Array(try folder.bytes(name)).span, at: 0)
    }
    return copy
}
