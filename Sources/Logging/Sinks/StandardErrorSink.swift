import Dispatch
import Glibc
import POSIX

/// Writes lines to standard error, on a queue of its own with a bounded buffer. A stopped terminal
/// or a pipe without a reader costs lines here, which are counted; it delays no request and no line
/// of the file.
final class StandardErrorSink: Sendable {
    private static let capacity = 64 * 1024

    private struct State {
        var pending: [UInt8] = []
        var dropped = 0
        var isDraining = false
    }

    /// Guards the buffer; not held while writing.
    private let state = Monitor(State())
    private let queue = DispatchQueue(label: "gatehouse.log.stderr")
    private let descriptor: CInt

    /// - Parameter descriptor: Must stay open as long as the process; the sink does not close it.
    init(descriptor: CInt = 2) { self.descriptor = descriptor }

    /// Queues a complete line, with its line end.
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

    /// Waits until all lines queued so far are written, at most `seconds`.
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
            // There is no other place to report that standard error failed.
            try? writeAll(batch)
        }
    }

    private func writeAll(_ bytes: [UInt8]) throws(Errno) {
        var offset = 0
        while offset < bytes.count {
            do throws(Errno) {
                offset += try writeOnce(descriptor, bytes.span.extracting(offset..<bytes.count))
            } catch {
                // Another program that shares the descriptor may have made it non-blocking.
                guard error == .wouldBlock else { throw error }
                var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                // Sound: poll(2) gets one entry, and the count is one.
                _ = try retryingOnInterrupt { unsafe poll(&wanted, 1, -1) }
            }
        }
    }
}
