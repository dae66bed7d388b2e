import Glibc
import Logging
import POSIX
import TestSupport
import Testing
import Time

/// A disk in memory, which only the superuser can make.
private enum SmallDisk {
    /// Runs `body` while the folder is a disk of its own.
    static func mounted(at folder: String, size: String, _ body: () throws -> Void) throws {
        guard mount("none", folder, "tmpfs", 0, "size=\(size)") == 0 else {
            throw Errno.notPermitted
        }
        defer { umount2(folder, CInt(MNT_DETACH)) }
        try body()
    }

    static let canBeMade: Bool = {
        guard let folder = try? TemporaryFolder() else { return false }
        return (try? mounted(at: folder.path, size: "64k") {}) != nil
    }()
}

@Suite("A log on a disk that is full")
struct FullDiskTests {
    @Test("goes on when there is room again, with every line", .enabled(if: SmallDisk.canBeMade))
    func full() throws {
        let folder = try TemporaryFolder()
        try SmallDisk.mounted(at: folder.path, size: "128k") { try fill(folder) }
    }

    private func fill(_ folder: TemporaryFolder) throws {
        try folder.file("ballast", String(repeating: "y", count: 64 * 1024))
        var options = LogOptions.impatient(path: folder.path("app.log"))
        options.maximumSize = 20_000
        let logger = try Logger(
            options, clock: .fixed(someTime), standardErrorDescriptor: nowhere.number)
        var next = 0
        func round() -> Logger.Outcome {
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
