import Glibc
import POSIX

/// Reads and writes complete files, for targets that read files.
enum Files {
    static func bytes(of path: String) throws -> [UInt8] {
        try FileDescriptor.open(path, O_RDONLY).read(upTo: 1 << 24)
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        var rest = bytes[...]
        while !rest.isEmpty { rest = rest.dropFirst(try file.write(rest.span)) }
    }
}
