import Glibc
import POSIX

/// A source of bytes that is read from the beginning to the end.
package protocol ByteSource: AnyObject {
    /// Reads at most `buffer.count` bytes. Returns the number of bytes read; 0 means the end.
    func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int
}

/// Bytes in memory.
package final class MemoryBytes: ByteSource {
    private let bytes: [UInt8]
    private var offset = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        let count = min(buffer.count, bytes.count - offset)
        let start = offset
        // Sound: `count` is limited to the bytes that remain in `bytes` and to the size of
        // `buffer`.
        unsafe bytes.withUnsafeBytes { source in
            unsafe buffer.withUnsafeMutableBytes { target in
                unsafe target.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[start..<(start + count)]))
            }
        }
        offset += count
        return count
    }
}

/// The bytes of an open file, from any offset. It reads with pread(2), so the file position, which
/// other readers may share, does not change.
final class FileBytes: ByteSource {
    private let file: LogFile
    /// Offset of the next byte to read.
    var offset: Int
    private let end: Int

    /// - Parameter end: the offset to stop at. A file that is being written may never end
    ///   otherwise.
    init(_ file: LogFile, from offset: Int = 0, upTo end: Int = .max) {
        self.file = file
        self.offset = offset
        self.end = end
    }

    func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        let wanted = min(buffer.count, end - offset)
        guard wanted > 0 else { return 0 }
        var part = buffer._mutatingExtracting(0..<wanted)
        let count = try file.descriptor.read(into: &part, at: offset)
        offset += count
        return count
    }
}

/// The bytes of a pipe or a device. They can be read once, from the current position.
final class StreamBytes: ByteSource {
    private let file: LogFile

    init(_ file: LogFile) { self.file = file }

    func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        try file.descriptor.read(into: &buffer)
    }
}
