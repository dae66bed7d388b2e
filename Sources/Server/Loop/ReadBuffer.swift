import HTTP
import POSIX

/// Where a worker reads to, whichever the connection: what is not a whole request yet is kept by the
/// conversation, so that idle connections hold no buffer of this size.
struct ReadBuffer {
    private var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    private var count = 0
    /// The first so many bytes hold what clients have sent.
    private var used = 0

    /// Reads once; 0 is the end.
    mutating func fill(from socket: borrowing FileDescriptor) throws(Errno) -> Int {
        count = 0
        var span = bytes.mutableSpan
        count = try Socket.receive(socket, into: &span)
        used = max(used, count)
        return count
    }

    /// Overwrites what was read.
    mutating func clear() {
        wipe(bytes, 0..<used)
        used = 0
    }

    /// Hands over what the last read gave.
    func deliver(to conversation: inout Conversation) {
        conversation.receive(bytes.span.extracting(0..<count))
    }
}
