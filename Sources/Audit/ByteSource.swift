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

/// An open file, from where it stands.
package final class FileBytes: ByteSource {
    private let file: FileDescriptor
    private var left: Int

    /// - Parameter limit: bytes to read at most: a file that is being written may never end.
    package init(_ file: consuming FileDescriptor, limit: Int = .max) {
        self.file = file
        left = limit
    }

    package func read(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        guard left > 0 else { return 0 }
        let wanted = min(left, buffer.count)
        // Sound: no longer than the buffer, and used while it is lent.
        let count = try unsafe buffer.withUnsafeMutableBufferPointer { buffer throws(Errno) in
            var part = unsafe UnsafeMutableBufferPointer(rebasing: buffer[..<wanted]).mutableSpan
            return try file.read(into: &part)
        }
        left -= count
        return count
    }
}
