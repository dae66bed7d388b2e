import Foundation
import JWT
import Logging
import POSIX
import Time

/// Acknowledged lines a second from several threads: each line is recorded and committed, as by a
/// server whose requests come one at a time. For comparison, in turn, a program that writes each
/// line with a write(2) under a lock: no format, no levels, no rotation, no seal.
struct LogThroughput {
    private static let linesAtATime = 40_000
    private static let rounds = 7

    let folder: String
    let claims: Claims

    func report() throws {
        print("\nlines a second, each acknowledged; median of \(Self.rounds) rounds in turn:")
        print("threads   plain write(2)   not sealed       sealed   sealed : plain")
        for threads in [1, 4, 8] {
            var figures: [[Double]] = [[], [], []]
            let sealed = try logger("sealed", isSealed: true)
            let unsealed = try logger("unsealed", isSealed: false)
            let plain = try PlainWriter("\(folder)/plain.log")
            for _ in 0..<Self.rounds {
                figures[0].append(rate(threads) { plain.write() })
                figures[1].append(rate(threads) { write(unsealed) })
                figures[2].append(rate(threads) { write(sealed) })
            }
            let medians = figures.map { $0.sorted()[Self.rounds / 2] }
            print(
                String(
                    format: "%7d   %14.0f   %10.0f   %10.0f   %12.2f", threads, medians[0],
                    medians[1], medians[2], medians[2] / medians[0]))
            _ = (sealed.stop(), unsealed.stop())
        }
    }

    private func logger(_ name: String, isSealed: Bool) throws -> Logger {
        var options = LogOptions(path: "\(folder)/\(name).log")
        options.maximumSize = 64 << 20
        options.maximumFiles = 1
        if isSealed {
            let secret = Array("a secret for measuring, and for nothing else".utf8)
            options.seal = LogOptions.Seal(key: SealKey(secret: secret.span))
        }
        return try Logger(options)
    }

    private func write(_ log: Logger) {
        log.record(Sample(claims: claims))
        guard log.commit() == .written else { fatalError("bench: the log cannot be written") }
    }

    /// Runs an operation on several threads, and returns how often a second it was performed.
    private func rate(_ threads: Int, _ body: @escaping @Sendable () -> Void) -> Double {
        let each = Self.linesAtATime / threads
        let start = MonotonicTime.now
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            for _ in 0..<each { body() }
        }
        let end = MonotonicTime.now
        return Double(each * threads) / (Double(end.nanoseconds - start.nanoseconds) / 1e9)
    }
}

/// The least that can be done: one system call for a line of the same length.
private final class PlainWriter: Sendable {
    private let file: FileDescriptor
    private let lock = Monitor(0)
    private let line = [UInt8](repeating: UInt8(ascii: "x"), count: 214) + [UInt8(ascii: "\n")]

    init(_ path: String) throws {
        file = try FileDescriptor.open(path, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC, mode: 0o600)
    }

    func write() {
        lock.withLock { count in
            let line = line
            let written = (try? file.write(line.span)) ?? 0
            guard written == line.count else { fatalError("bench: the file cannot be written") }
            count += 1
            if count.isMultiple(of: 200_000) { _ = ftruncate(file.rawValue, 0) }
        }
    }
}
