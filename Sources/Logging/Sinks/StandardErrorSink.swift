import Dispatch
import Glibc
import POSIX

/// Lines for the operator's terminal or the service manager's journal, on their own queue with their
/// own bounded buffer: a terminal that is stopped, or a pipe that nobody reads, costs lines there,
/// which are counted, and never a request or a line in the file.
final class StandardErrorSink: Sendable {
    private static let capacity = 64 * 1024

    private struct State {
        var pending: [UInt8] = []
        var dropped = 0
        var isDraining = false
    }

    /// Guards the buffer; never held while writing.
    private let state = Monitor(State())
    private let queue = DispatchQueue(label: "gatehouse.log.stderr")
    private let descriptor: CInt

    /// - Parameter descriptor: stays open as long as the process; it is not this sink's to close.
    init(descriptor: CInt = 2) { self.descriptor = descriptor }

    /// Queues a whole line, its end included.
    func append(_ line: Span<UInt8>) {
        let mustStart = state.withLock { state in
            guard state.pending.count + line.count <= Self.capacity else {
                state.dropped += 1
                return false
            }
            state.pending.append(copying: line)
            defer { state.isDraining = true }
            return !state.isDraining
        }
        if mustStart { queue.async { self.drain() } }
    }

    /// Waits until what is queued now is written, but no longer than `seconds`.
    func flush(within seconds: Double) {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + seconds)
    }

    private func drain() {
        while true {
            let batch: [UInt8] = state.withLock { state in
                if state.pending.isEmpty, state.dropped == 0 {
                    state.isDraining = false
                    return []
                }
                var batch = state.pending
                if state.dropped > 0 {
                    batch += Array("(\(state.dropped) lines dropped here)\n".utf8)
                }
                state.pending.removeAll(keepingCapacity: true)
                state.dropped = 0
                return batch
            }
            if batch.isEmpty { return }
            // Nobody can be told that standard error is gone.
            try? writeAll(batch)
        }
    }

    private func writeAll(_ bytes: [UInt8]) throws(Errno) {
        var offset = 0
        while offset < bytes.count {
            do throws(Errno) {
                offset += try writeOnce(descriptor, bytes.span.extracting(offset..<bytes.count))
            } catch {
                // Another program that shares it may have made it non-blocking.
                guard error == .wouldBlock else { throw error }
                var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                // Sound: there is one entry, and one is what poll(2) is told.
                _ = try retryingOnInterrupt { unsafe poll(&wanted, 1, -1) }
            }
        }
    }
}
