import Foundation
import Glibc
import POSIX

/// What a packed file holds, by the system's own gzip(1). That gets the open file, not its name.
final class GzipBytes: ByteSource {
    private let file: FileDescriptor
    private var process: Process?
    private let pipe = Foundation.Pipe()

    init(_ file: consuming FileDescriptor) { self.file = file }

    deinit {
        guard let process, process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    /// `notPacked` at the end of a file that is none, or not a whole one; what it holds comes first.
    func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        if process == nil { process = try start() }
        let number = pipe.fileHandleForReading.fileDescriptor
        let count = try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt { unsafe Glibc.read(number, bytes.baseAddress, bytes.count) }
        }
        if count == 0, let process {
            process.waitUntilExit()
            if process.terminationStatus != 0 { throw Self.notPacked }
        }
        return count
    }

    static let notPacked = Errno(EBADMSG)

    private func start() throws(Errno) -> Process {
        let process = Process()
        let path = ["/usr/bin/gzip", "/bin/gzip"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        guard let path else { throw Errno(ENOEXEC) }
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["-dc"]
        process.standardInput = FileHandle(fileDescriptor: file.number, closeOnDealloc: false)
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw .inputOutput
        }
        // The end comes only when nobody here can write any more.
        try? pipe.fileHandleForWriting.close()
        return process
    }
}
