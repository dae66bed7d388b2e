import Dispatch
import POSIX
import TestSupport

/// Blocks the threads that pass it until it is opened, and lets a test wait for their arrival.
final class Gate: Sendable {
    private let arrived = DispatchSemaphore(value: 0)
    private let opened = DispatchSemaphore(value: 0)

    /// Called by the server: reports its arrival, and blocks until the gate is opened.
    func pass() {
        arrived.signal()
        opened.wait()
    }

    /// Called by the test: waits until a thread has arrived. False after the test's timeout.
    func waitForArrival() -> Bool { arrived.wait(timeout: .now() + TestScale.timeout) == .success }

    /// Releases `count` threads that are blocked, or will be.
    func open(for count: Int = 1) { for _ in 0..<count { opened.signal() } }
}

/// Pauses the commits of a server while it is enabled, so that a test can make several events
/// arrive in one batch. See `TestServer.pausable`.
final class CommitPause: Sendable {
    private let gate = Gate()
    private let isEnabled = Monitor(false)

    /// Called by the server's commit: blocks while the pause is enabled, until `open` is called.
    func pass() { if isEnabled.withLock({ $0 }) { gate.pass() } }

    /// The commits from now on block.
    func enable() { isEnabled.withLock { $0 = true } }

    /// The commits from now on do not block; one that is blocked still needs `open`.
    func disable() { isEnabled.withLock { $0 = false } }

    /// Waits until a commit is blocked. False after the test's timeout.
    func waitForArrival() -> Bool { gate.waitForArrival() }

    /// Releases the commit that is blocked.
    func open() { gate.open() }
}
