import Glibc
import POSIX

/// The files of a log by their names: `app.log`, which is being written, and the full ones,
/// `app.log.000001`, `app.log.000002`, …, some of which somebody may have compressed.
struct LogFiles {
    struct Full: Equatable {
        let number: Int
        let path: String
        var isCompressed: Bool { path.hasSuffix(".gz") }
    }

    /// The full files that are there, from the oldest to the newest. One that is there both as it was
    /// and compressed, as while gzip(1) works on it, is given as it was.
    static func full(of path: String) throws(ReadingError) -> [Full] {
        let folder = folder(of: path)
        let names: [String]
        do throws(Errno) {
            names = try SystemFileSystem().names(in: folder)
        } catch {
            guard error == .isNotThere else { throw .file(path: folder, error) }
            return []
        }
        var files: [Int: Full] = [:]
        let prefix = path.split(separator: "/", omittingEmptySubsequences: false).last! + "."
        for name in names where name.hasPrefix(prefix) {
            let isCompressed = name.hasSuffix(".gz")
            let digits = name.dropFirst(prefix.count).dropLast(isCompressed ? 3 : 0)
            guard let number = number(digits), files[number]?.isCompressed != false else {
                continue
            }
            files[number] = Full(
                number: number, path: "\(path)\(name.dropFirst(prefix.count - 1))")
        }
        return files.values.sorted { $0.number < $1.number }
    }

    /// Six digits, or more without zeros in front.
    private static func number(_ digits: Substring) -> Int? {
        let digits = digits.utf8
        // Eighteen digits always fit into 64 bits.
        guard 6...18 ~= digits.count, digits.allSatisfy({ $0 &- 0x30 < 10 }),
            digits.count == 6 || digits.first != UInt8(ascii: "0")
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// Which file it is, whatever it is called.
struct FileIdentity: Equatable {
    private let device: UInt64
    private let inode: UInt64

    init(_ status: FileStatus) {
        device = status.device
        inode = status.inode
    }

    /// Nil if there is no such file.
    init?(path: String) throws(ReadingError) {
        do throws(Errno) {
            self.init(try FileStatus(path: path))
        } catch {
            guard error == .isNotThere else { throw .file(path: path, error) }
            return nil
        }
    }
}
