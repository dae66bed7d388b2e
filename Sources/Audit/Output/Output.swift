import Glibc
import POSIX

/// Where a command writes to; the descriptor is somebody else's.
package struct Output {
    private let descriptor: CInt

    package init(_ descriptor: CInt) { self.descriptor = descriptor }

    /// Writes all of it. False if nobody reads it any more, as behind `| head`; the caller ignores
    /// SIGPIPE, or ends by it.
    @discardableResult
    package func write(_ bytes: Span<UInt8>) throws(ReadingError) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            do throws(Errno) {
                rest = rest.extracting(droppingFirst: try writeOnce(descriptor, rest))
            } catch {
                if error == Errno(EPIPE) { return false }
                guard error == .wouldBlock else { throw .output(error) }
                // Another program that shares it may have made it non-blocking.
                _ = wait(for: Int16(POLLOUT), -1)
            }
        }
        return true
    }

    /// Waits so many milliseconds. False if meanwhile whoever reads has gone away.
    func waitWhileRead(_ milliseconds: CInt) -> Bool {
        wait(for: 0, milliseconds) & CInt(POLLERR) == 0
    }

    private func wait(for events: Int16, _ milliseconds: CInt) -> CInt {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        // A signal ends it early, which does no harm.
        // Sound: there is one entry, and one is what poll(2) is told.
        _ = unsafe poll(&entry, 1, milliseconds)
        return CInt(entry.revents)
    }
}
