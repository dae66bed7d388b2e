import Glibc

/// A pipe with two nonblocking ends.
package struct Pipe: ~Copyable, Sendable {
    package let readingEnd: FileDescriptor
    package let writingEnd: FileDescriptor

    package init() throws(Errno) {
        var ends: InlineArray<2, CInt> = [-1, -1]
        var span = ends.mutableSpan
        // Sound: pipe(2) writes two descriptors, and the array has two elements.
        _ = try unsafe span.withUnsafeMutableBufferPointer { ends throws(Errno) in
            try retryingOnInterrupt { unsafe pipe(ends.baseAddress) }
        }
        for index in ends.indices {
            // Cannot fail on a new descriptor.
            _ = fcntl(ends[index], F_SETFL, O_NONBLOCK)
            _ = fcntl(ends[index], F_SETFD, FD_CLOEXEC)
        }
        readingEnd = FileDescriptor(owning: ends[0])
        writingEnd = FileDescriptor(owning: ends[1])
    }
}
