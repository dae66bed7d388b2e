/// Says that the server is alive, and only with evidence of it: all workers have answered what they were
/// asked since the last time. A worker that hangs answers nothing, and the service manager, which hears
/// no more, starts the process anew.
final class Watchdog: Sendable {
    private let ping: @Sendable (_ answered: @escaping @Sendable () -> Void) -> Void
    private let tell: @Sendable () -> Void
    private let isWaiting = AtomicFlag()

    /// - Parameters:
    ///   - ping: asks, and calls `answered` once all have answered.
    ///   - tell: that there is life.
    init(
        ping: @escaping @Sendable (_ answered: @escaping @Sendable () -> Void) -> Void,
        tell: @escaping @Sendable () -> Void
    ) {
        self.ping = ping
        self.tell = tell
    }

    /// To be called twice as often as the service manager wants to hear. Asks; where the last question
    /// is still open, that one counts.
    func tick() {
        guard !isWaiting.exchange(true) else { return }
        ping { [self] in
            isWaiting.set(false)
            tell()
        }
    }
}
