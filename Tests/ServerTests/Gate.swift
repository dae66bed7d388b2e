import Dispatch
import TestSupport

/// Stops whoever comes to it until it is opened, and tells that somebody came.
final class Gate: Sendable {
    private let arrived = DispatchSemaphore(value: 0)
    private let opened = DispatchSemaphore(value: 0)

    /// The server's side: says that it is here, and waits.
    func pass() {
        arrived.signal()
        opened.wait()
    }

    /// The test's side; false if nobody came for very long.
    func waitForArrival() -> Bool { arrived.wait(timeout: .now() + TestScale.timeout) == .success }

    /// Lets `count` of those through that wait or will come.
    func open(for count: Int = 1) { for _ in 0..<count { opened.signal() } }
}
