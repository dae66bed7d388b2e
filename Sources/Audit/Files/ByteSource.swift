import Glibc
import POSIX

/// Where bytes come from, one after another.
package protocol ByteSource: AnyObject {
    /// Reads at most `buffer.count` bytes; 0 is the end.
    func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int
}

/// Bytes that are here already.
package final class MemoryBytes: ByteSource {
    private let bytes: [UInt8]
    private var offset = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        let count = min(buffer.count, bytes.count - offset)
        let start = offset
        // Sound: `count` bytes are there, and there is room for them.
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

/// What stands in an open file, from any place on. Who else reads the file is not disturbed.
final class FileBytes: ByteSource {
    private let file: LogFile
    /// Where the next bytes come from.
    var offset: Int
    private let end: Int

    /// - Parameter end: where to stop: a file that is being written may never end.
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

/// What comes through a pipe, or from a device: once, and from where it stands.
final class StreamBytes: ByteSource {
    private let file: LogFile

    init(_ file: LogFile) { self.file = file }

    func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        try file.descriptor.read(into: &buffer)
    }
}
