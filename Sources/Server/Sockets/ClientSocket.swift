import Glibc
import POSIX
import Time

/// The other end of a connection: for the commands, which ask a running server something. Blocks the
/// calling thread, and never past its deadline.
package struct ClientSocket: ~Copyable {
    private let socket: FileDescriptor
    private let deadline: MonotonicTime

    /// Connects to a Unix domain socket.
    /// - Parameter deadline: for this and all that follows.
    /// - Throws: `.timedOut` past the deadline; `.isNotThere` or `.connectionRefused` if no server is
    ///   there; `.notPermitted`; what `connect` says.
    package init(path: String, deadline: MonotonicTime) throws(Errno) {
        let address = SocketAddress.unix(path: path)
        try address.check()
        let socket = try Socket.make(AF_UNIX)
        // Waits only while the server's queue is full.
        // Waiting for 0 would be waiting forever.
        try Socket.setTimeout(socket, max(TimeAmount(milliseconds: 1), Self.timeLeft(to: deadline)))
        do throws(Errno) {
            try Socket.connect(socket, address)
        } catch {
            throw error == .wouldBlock ? .timedOut : error
        }
        self.socket = socket
        self.deadline = deadline
    }

    /// Sends all of it.
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

    /// Receives what has come, as soon as anything has; 0 is the end.
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

    /// Returns as soon as there is something to do, an error included, which the next call tells.
    private func wait(for events: CInt) throws(Errno) {
        let number = socket.rawValue
        let deadline = deadline
        let count = try retryingOnInterrupt {
            var entry = pollfd(fd: number, events: Int16(events), revents: 0)
            // Sound: there is one entry, and one is what poll(2) is told.
            return unsafe poll(&entry, 1, CInt(clamping: Self.timeLeft(to: deadline).milliseconds))
        }
        if count == 0 { throw .timedOut }
    }

    private static func timeLeft(to deadline: MonotonicTime) -> TimeAmount {
        max(TimeAmount(milliseconds: 0), deadline.since(.now))
    }
}
