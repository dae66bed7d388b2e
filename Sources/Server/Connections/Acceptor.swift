import POSIX
import Time

/// The listeners of a worker, and whether it accepts from them. Without descriptors or memory it
/// pauses: the clients wait in the kernel's queue.
struct Acceptor {
    /// How long a pause lasts at most: descriptors may be freed by something that no worker
    /// notices.
    private static let pause = TimeAmount(milliseconds: 100)
    /// Between two reports of failures: with idle connections to evict there may be thousands a
    /// second.
    private static let reportInterval = TimeAmount.seconds(1)

    var listeners: [Listener]
    /// Whether it pauses because of descriptors, which are freed when any connection closes.
    private(set) var waitsForDescriptors = false
    /// When accepting is tried again; in the distant future if it does not pause.
    private(set) var pausedUntil = MonotonicTime.distantFuture
    private var nextReport = MonotonicTime(nanoseconds: 0)
    /// Connections were closed while a worker waited for descriptors.
    var hasFreedDescriptors = false

    init(_ listeners: [Listener]) { self.listeners = listeners }

    var isPaused: Bool { pausedUntil != .distantFuture }

    /// Begins a pause.
    /// - Returns: false if there is nothing to pause.
    mutating func beginPause(_ now: MonotonicTime, forDescriptors: Bool) -> Bool {
        guard !listeners.isEmpty, !isPaused else { return false }
        pausedUntil = now + Self.pause
        waitsForDescriptors = forDescriptors
        return true
    }

    /// Lets the pause end in the next batch.
    mutating func expirePause() { pausedUntil = MonotonicTime(nanoseconds: 0) }

    /// Ends the pause.
    /// - Returns: whether it was for descriptors; nil if there was none.
    mutating func endPause() -> Bool? {
        guard isPaused else { return nil }
        defer { waitsForDescriptors = false }
        pausedUntil = .distantFuture
        return waitsForDescriptors
    }

    /// Whether a failure is to be reported now.
    mutating func reportIsDue(_ now: MonotonicTime) -> Bool {
        guard now >= nextReport else { return false }
        nextReport = now + Self.reportInterval
        return true
    }
}
