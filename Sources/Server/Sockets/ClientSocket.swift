import Glibc
import POSIX
import Time

/// The client's end of a Unix domain socket, for commands that talk to a running server. Calls
/// block the thread, but never beyond the deadline.
package struct ClientSocket: ~Copyable {
    private let socket: FileDescriptor
    private let deadline: MonotonicTime

    /// Connects to a Unix domain socket.
    /// - Parameter deadline: For this call and all that follow.
    /// - Throws: `.timedOut` after the deadline; `.noSuchFileOrDirectory` or `.connectionRefused`
    ///   if no server listens there; `.permissionDenied`; other errors of connect(2).
    package init(path: String, deadline: MonotonicTime) throws(Errno) {
        let address = SocketAddress.unix(path: path)
        try address.check()
        let socket = try Socket.make(AF_UNIX)
        // Blocks only while the server's queue is full. A timeout of 0 would mean no timeout.
        try Socket.setTimeout(socket, max(TimeAmount(milliseconds: 1), Self.timeLeft(to: deadline)))
        do throws(Errno) {
            try Socket.connect(socket, address)
        } catch {
            throw error == .wouldBlock ? .timedOut : error
        }
        self.socket = socket
        self.deadline = deadline
    }

    /// Sends all bytes.
    /// - Throws: `.timedOut` after the deadline; errors of send(2).
    package func send(_ bytes: Span<UInt8>) throws(Errno) {
        var sent = 0
        while sent < bytes.count {
            try wait(for: POLLOUT)
            do throws(Errno) {
                sent += try Socket.send(socket, bytes.extracting(sent..<bytes.count))
            } catch {
                if error != .wouldBlock { throw error }
            }
        }
    }

    /// Receives bytes as soon as there are any.
    /// - Returns: The number of bytes; 0 at the end of the stream.
    /// - Throws: `.timedOut` after the deadline; errors of recv(2).
    package func receive(into buffer: inout MutableSpan<UInt8>) throws(Errno) -> Int {
        while true {
            try wait(for: POLLIN)
            do throws(Errno) {
                return try Socket.receive(socket, into: &buffer)
            } catch {
                if error != .wouldBlock { throw error }
            }
        }
    }

    /// Returns once the socket is ready, or has an error, which the next call reports.
    private func wait(for events: CInt) throws(Errno) {
        let number = socket.rawValue
        let deadline = deadline
        let count = try retryingOnInterrupt {
            var entry = pollfd(fd: number, events: Int16(events), revents: 0)
            // Sound: poll(2) gets one entry, and the count is one.
            return unsafe poll(&entry, 1, CInt(clamping: Self.timeLeft(to: deadline).milliseconds))
        }
        if count == 0 { throw .timedOut }
    }

    private static func timeLeft(to deadline: MonotonicTime) -> TimeAmount {
        max(TimeAmount(milliseconds: 0), deadline.since(.now))
    }
}
