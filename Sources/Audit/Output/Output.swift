import Glibc
import POSIX

/// The output of a command. The caller owns the descriptor.
package struct Output {
    private let descriptor: CInt

    package init(_ descriptor: CInt) { self.descriptor = descriptor }

    /// Writes all bytes. Returns false if the reader has closed the pipe, as in `| head`. The
    /// caller ignores SIGPIPE, or is terminated by it.
    /// - Throws: `ReadingError.output`.
    @discardableResult
    package func write(_ bytes: Span<UInt8>) throws(ReadingError) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            do throws(Errno) {
                rest = rest.extracting(droppingFirst: try writeOnce(descriptor, rest))
            } catch {
                if error == Errno(EPIPE) { return false }
                guard error == .wouldBlock else { throw .output(error) }
                // Another process that shares the descriptor may have made it non-blocking.
                _ = wait(for: Int16(POLLOUT), -1)
            }
        }
        return true
    }

    /// Waits for this number of milliseconds. Returns false if the reader has closed the pipe.
    func waitWhileRead(_ milliseconds: CInt) -> Bool {
        wait(for: 0, milliseconds) & CInt(POLLERR) == 0
    }

    private func wait(for events: Int16, _ milliseconds: CInt) -> CInt {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        // A signal ends the wait early, which is harmless.
        // Sound: poll(2) gets one entry and the count 1.
        _ = unsafe poll(&entry, 1, milliseconds)
        return CInt(entry.revents)
    }
}
