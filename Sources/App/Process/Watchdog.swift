/// Sends the watchdog message of the service manager, but only after all workers have answered a
/// liveness check. A worker that is blocked does not answer. The messages stop then, and the
/// service manager restarts the process.
final class Watchdog: Sendable {
    private let checkLiveness: @Sendable (_ answered: @escaping @Sendable () -> Void) -> Void
    private let notify: @Sendable () -> Void
    private let isWaiting = AtomicFlag()

    /// - Parameters:
    ///   - checkLiveness: asks all workers, and calls `answered` once all have answered.
    ///   - notify: sends the message that the process is alive.
    init(
        checkLiveness: @escaping @Sendable (_ answered: @escaping @Sendable () -> Void) -> Void,
        notify: @escaping @Sendable () -> Void
    ) {
        self.checkLiveness = checkLiveness
        self.notify = notify
    }

    /// Starts a check, unless the previous one has not been answered yet. To be called at half the
    /// interval of the service manager's watchdog.
    func tick() {
        guard !isWaiting.exchange(true) else { return }
        checkLiveness { [self] in
            isWaiting.set(false)
            notify()
        }
    }
}
