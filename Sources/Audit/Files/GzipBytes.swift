import Foundation
import Glibc
import POSIX

/// What a packed file holds, by the system's own gzip(1). That gets the open file, not its name: so
/// whatever the file is called, it is no option.
final class GzipBytes: ByteSource {
    /// gzip(1) says at the end that the file is none of its own, or not whole; what it could unpack
    /// comes first.
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
        // Sound: no more is asked for than the buffer has room for.
        let count = try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt { unsafe Glibc.read(number, bytes.baseAddress, bytes.count) }
        }
        guard count == 0, let process else { return count }
        process.waitUntilExit()
        // 2 is a warning, as of zeros behind the end.
        let isWhole =
            process.terminationReason == .exit && [0, 2].contains(process.terminationStatus)
        if !isWhole { throw Self.notGzip }
        return 0
    }

    private func start() throws(Errno) -> Process {
        // gzip(1) reads from where the file stands: not at its beginning, if it was read before. A
        // pipe has no place.
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
        // The end comes only when nobody here can write any more.
        try? pipe.fileHandleForWriting.close()
        return process
    }
}
