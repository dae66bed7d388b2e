import Glibc

/// A pipe whose ends never block.
package struct Pipe: ~Copyable, Sendable {
    package let readingEnd: FileDescriptor
    package let writingEnd: FileDescriptor

    package init() throws(Errno) {
        var ends: InlineArray<2, CInt> = [-1, -1]
        var span = ends.mutableSpan
        // Sound: pipe(2) fills in two numbers, and there are two.
        _ = try unsafe span.withUnsafeMutableBufferPointer { ends throws(Errno) in
            try retryingOnInterrupt { unsafe pipe(ends.baseAddress) }
        }
        for index in ends.indices {
            // Cannot fail on a descriptor that was just made.
            _ = fcntl(ends[index], F_SETFL, O_NONBLOCK)
            _ = fcntl(ends[index], F_SETFD, FD_CLOEXEC)
        }
        readingEnd = FileDescriptor(owning: ends[0])
        writingEnd = FileDescriptor(owning: ends[1])
    }
}
