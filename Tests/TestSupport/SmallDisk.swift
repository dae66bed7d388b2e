import Foundation
import Glibc

/// A small file system in memory. Only root can mount one.
package enum SmallDisk {
    package enum Failure: Error {
        /// A system call failed with this error number.
        case system(CInt)
    }

    /// Runs `body` while a file system of this size is mounted at the folder.
    package static func mounted(
        at folder: String, size: String, _ body: () throws -> Void
    ) throws {
        guard mount("none", folder, "tmpfs", 0, "size=\(size)") == 0 else {
            throw Failure.system(errno)
        }
        defer { umount2(folder, CInt(MNT_DETACH)) }
        try body()
    }

    package static let isAvailable: Bool = {
        guard let folder = try? TemporaryFolder() else { return false }
        return (try? mounted(at: folder.path, size: "64k") {}) != nil
    }()

    /// Writes a file until the disk is full.
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
