import Foundation
import Glibc
import POSIX

/// A stream of the log's lines: a file, one that gzip(1) unpacks, or standard input.
struct LogSource: ~Copyable {
    private let path: String
    private let file: FileDescriptor
    private let gzip: Foundation.Process?

    /// - Parameter path: `-` is standard input; `….gz` goes through gzip(1).
    init(_ path: String) throws(ReadingError) {
        if path == "-" {
            let number = dup(0)
            guard number >= 0 else { throw .file(path: "standard input", Errno(errno)) }
            self.init("standard input", FileDescriptor(owning: number), nil)
            return
        }
        let file: FileDescriptor
        do throws(Errno) {
            file = try FileDescriptor.open(path, O_RDONLY)
        } catch {
            throw .file(path: path, error)
        }
        guard path.hasSuffix(".gz") else {
            self.init(path, file, nil)
            return
        }
        // The file is its standard input: whatever the file is called, it is no option.
        let gzip = Foundation.Process()
        let pipe = Foundation.Pipe()
        gzip.executableURL = URL(filePath: "/bin/gzip")
        gzip.arguments = ["-dc"]
        gzip.standardInput = FileHandle(fileDescriptor: file.number, closeOnDealloc: false)
        gzip.standardOutput = pipe
        gzip.standardError = FileHandle.nullDevice
        do {
            try gzip.run()
        } catch {
            throw .noGzip(path: path)
        }
        // The pipe closes its own end when it goes.
        let number = dup(pipe.fileHandleForReading.fileDescriptor)
        guard number >= 0 else { throw .file(path: path, Errno(errno)) }
        self.init(path, FileDescriptor(owning: number), gzip)
    }

    /// Nil if there is no such file.
    static func ifThere(_ path: String) throws(ReadingError) -> LogSource? {
        do throws(ReadingError) {
            return try LogSource(path)
        } catch {
            guard case .file(_, .isNotThere) = error else { throw error }
            return nil
        }
    }

    private init(
        _ path: String, _ file: consuming FileDescriptor, _ gzip: Foundation.Process?
    ) {
        self.path = path
        self.file = file
        self.gzip = gzip
    }

    /// Which file it is; a pipe's own where gzip(1) reads the file.
    var identity: FileIdentity? { (try? file.status()).map { FileIdentity($0) } }

    /// Calls `body` with each line, without its line end; nil for one that is too long, or has no
    /// end. Reads to the end of the stream.
    consuming func forEachLine(
        _ buffer: inout LineBuffer, _ body: (Span<UInt8>?) -> Void
    ) throws(ReadingError) {
        buffer.clear()
        do throws(Errno) {
            while try buffer.fill({ room throws(Errno) in try file.read(into: &room) }) > 0 {
                while let line = buffer.next() {
                    switch line {
                    case .whole(let line): body(buffer.bytes(of: line))
                    case .tooLong: body(nil)
                    }
                }
            }
        } catch {
            gzip?.terminate()
            throw .file(path: path, error)
        }
        if buffer.takeRest() != nil { body(nil) }
        guard let gzip else { return }
        gzip.waitUntilExit()
        // 2 is a warning, as of zeros behind the end.
        guard gzip.terminationReason == .exit,
            gzip.terminationStatus == 0 || gzip.terminationStatus == 2
        else { throw .notGzip(path: path) }
    }
}
