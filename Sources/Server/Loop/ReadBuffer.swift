import HTTP
import POSIX

/// A worker's read buffer, shared by all its connections. Incomplete requests are kept by the
/// conversation, so that idle connections hold no buffer of this size.
struct ReadBuffer {
    private var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    private var count = 0
    /// Bytes at the beginning that may hold clients' data.
    private var used = 0

    /// Reads once from the socket.
    /// - Returns: The number of bytes; 0 at the end of the stream.
    /// - Throws: The error of recv(2); `.wouldBlock` if there is nothing to read.
    mutating func fill(from socket: borrowing FileDescriptor) throws(Errno) -> Int {
        count = 0
        var span = bytes.mutableSpan
        count = try Socket.receive(socket, into: &span)
        used = max(used, count)
        return count
    }

    /// Overwrites all data that was read.
    mutating func clear() {
        wipe(bytes, 0..<used)
        used = 0
    }

    /// Passes the bytes of the last read to the conversation.
    func deliver(to conversation: inout Conversation) {
        conversation.receive(bytes.span.extracting(0..<count))
    }
}
