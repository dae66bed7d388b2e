import Glibc
import Logging
import POSIX
import TestSupport
import Testing
import Time

struct FullDiskTests {
    @Test(.enabled(if: SmallDisk.isAvailable))
    func `a log on a full disk keeps every line and continues when there is space`() throws {
        let folder = try TemporaryFolder()
        try SmallDisk.mounted(at: folder.path, size: "128k") { try fill(folder) }
    }

    private func fill(_ folder: TemporaryFolder) throws {
        try folder.file("ballast", String(repeating: "y", count: 64 * 1024))
        var options = LogOptions.retryingAtOnce(path: folder.path("app.log"))
        options.maximumSize = 20_000
        let logger = try Logger(
            options, clock: .fixed(someTime), standardErrorDescriptor: devNull.rawValue)
        var next = 0
        func round() -> Logger.CommitResult {
            for _ in 0..<20 {
                logger.record(Note(next, padding: 60))
                next += 1
            }
            return logger.commit()
        }
        while round() == .written {}
        #expect(!logger.isHealthy)
        for _ in 0..<5 { #expect(round() == .failed(.noSpace)) }
        #expect(try #require(try folder.logLines()).count < next)
        try folder.remove("ballast")
        #expect(round() == .written)
        #expect(logger.isHealthy)
        #expect(numbers(try #require(try folder.logLines())) == Array(0..<next))
    }
}
