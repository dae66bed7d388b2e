import Foundation
import Glibc

/// A disk in memory, which only the superuser can make.
package enum SmallDisk {
    package enum Failure: Error {
        /// A system call failed with this number.
        case system(CInt)
    }

    /// Runs `body` while the folder is a disk of its own.
    package static func mounted(
        at folder: String, size: String, _ body: () throws -> Void
    ) throws {
        guard mount("none", folder, "tmpfs", 0, "size=\(size)") == 0 else {
            throw Failure.system(errno)
        }
        defer { umount2(folder, CInt(MNT_DETACH)) }
        try body()
    }

    package static let canBeMade: Bool = {
        guard let folder = try? TemporaryFolder() else { return false }
        return (try? mounted(at: folder.path, size: "64k") {}) != nil
    }()

    /// Makes a file that takes all the room that is left.
    package static func fill(_ path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure.system(errno) }
        defer { close(file) }
        for size in [1 << 16, 1 << 12] {
            let piece = [UInt8](repeating: UInt8(ascii: "b"), count: size)
            while write(file, piece, size) > 0 {}
            guard errno == ENOSPC else { throw Failure.system(errno) }
        }
    }
}
