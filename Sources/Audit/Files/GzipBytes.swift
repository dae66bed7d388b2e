import Foundation
import Glibc
import POSIX

/// The uncompressed content of a gzip file, produced by the system's gzip(1). The process gets the
/// open file as its standard input, not the name, so a file name cannot be mistaken for an option.
final class GzipBytes: ByteSource {
    /// gzip(1) has reported that the file is not a gzip file or is incomplete. The error is thrown
    /// at the end, after the content that gzip(1) could unpack.
    static let notGzip = Errno(EBADMSG)
    /// gzip(1) cannot be started.
    static let noGzip = Errno(ENOEXEC)

    private let file: LogFile
    private var process: Process?
    private let pipe = Foundation.Pipe()

    init(_ file: LogFile) { self.file = file }

    deinit {
        guard let process, process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        if process == nil { process = try start() }
        let number = pipe.fileHandleForReading.fileDescriptor
        // Sound: read(2) writes at most `bytes.count` bytes, the size of the buffer.
        let count = try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt { unsafe Glibc.read(number, bytes.baseAddress, bytes.count) }
        }
        guard count == 0, let process else { return count }
        process.waitUntilExit()
        // Exit code 2 is a warning, for example about zeros after the end of the data.
        let isWhole =
            process.terminationReason == .exit && [0, 2].contains(process.terminationStatus)
        if !isWhole { throw Self.notGzip }
        return 0
    }

    private func start() throws(Errno) -> Process {
        // gzip(1) reads from the current file position, which is not 0 if the file was read before.
        // On a pipe lseek(2) fails, and the position does not matter.
        _ = lseek(file.descriptor.rawValue, 0, SEEK_SET)
        let path = ["/usr/bin/gzip", "/bin/gzip"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        guard let path else { throw Self.noGzip }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["-dc"]
        process.standardInput = FileHandle(
            fileDescriptor: file.descriptor.rawValue, closeOnDealloc: false)
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { throw Self.noGzip }
        // The read end reports the end of file only after every write end is closed, including this
        // one.
        try? pipe.fileHandleForWriting.close()
        return process
    }
}
