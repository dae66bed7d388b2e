import Glibc
import POSIX
import Time

/// The signals that a server is told what to do by. A thread that is made at the start waits for
/// them, so that a stop needs nothing that the system could refuse by then, and nothing else can
/// hang before it. Reloading and reopening are done on a second such thread.
///
/// A stop has a deadline. If the server has not ended by then, the process writes its last words
/// and ends; if even that hangs, an alarm ends it.
final class Signals: Sendable {
    struct Handlers: Sendable {
        /// At each SIGHUP.
        var reload: @Sendable () -> Void
        /// At each SIGUSR1.
        var reopen: @Sendable () -> Void
        /// How long a stop may take that was just asked for.
        var stopTimeout: @Sendable () -> TimeAmount
        /// At a second SIGTERM or SIGINT. Must not block.
        var hasten: @Sendable () -> Void
        /// Writes what is left when the stop takes too long, and says what the process exits with.
        var lastWords: @Sendable () -> CInt
    }

    private struct State {
        /// Nil until the server serves.
        var handlers: Handlers?
        var mustStop = false
        var mustReload = false
        var mustReopen = false
    }

    /// From the deadline's end to the alarm: the time that last words have.
    private static let lastWordsPatience = 150_000
    /// How long a stop may take after the drain timeout, or after a second signal.
    private static let patience = TimeAmount(milliseconds: 750)

    private let state = Monitor(State())

    /// Takes the signals from now on; one that ends the process does so at once until `serve` is
    /// called. To be made before any other thread, which then does not get the signals either.
    init() throws(Errno) {
        var signals = Self.handled
        // Sound: the call reads a set of ours.
        _ = unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        try SystemThread.start { self.wait() }
        try SystemThread.start { self.maintain() }
    }

    /// Handles signals in these ways from now on, those included that have come already.
    func serve(_ handlers: Handlers) {
        state.withLock { $0.handlers = handlers }
        state.wakeAll()
    }

    /// Returns at SIGTERM or SIGINT.
    func waitForStop() { state.waitUntil(\.mustStop, then: { _ in }) }

    // MARK: The threads

    private static var handled: sigset_t {
        var signals = sigset_t()
        // Sound: the calls change a set of ours.
        unsafe sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] { unsafe sigaddset(&signals, number) }
        return signals
    }

    private func wait() {
        var deadline = MonotonicTime.distantFuture
        while true {
            switch Self.next(before: deadline) {
            case nil: endProcess()
            case SIGHUP?:
                state.withLock { $0.mustReload = true }
                state.wakeAll()
            case SIGUSR1?:
                state.withLock { $0.mustReopen = true }
                state.wakeAll()
            case let number?:
                guard let handlers = state.withLock({ $0.handlers }) else {
                    return Self.die(of: number)
                }
                let isSecond = state.withLock { state in
                    defer { state.mustStop = true }
                    return state.mustStop
                }
                let timeout = isSecond ? TimeAmount(milliseconds: 0) : handlers.stopTimeout()
                deadline = min(deadline, .now + timeout + Self.patience)
                if isSecond { handlers.hasten() }
                state.wakeAll()
            }
        }
    }

    /// The next signal; nil at the deadline.
    private static func next(before deadline: MonotonicTime) -> CInt? {
        var signals = handled
        while true {
            let left = max(0, deadline.nanoseconds - MonotonicTime.now.nanoseconds)
            var timeout = timespec(
                tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
            // Sound: the call reads a set and a time of ours, and tells nothing more.
            let number = unsafe sigtimedwait(&signals, nil, &timeout)
            if number > 0 { return number }
            if errno == EAGAIN, deadline <= .now { return nil }
        }
    }

    /// As if nothing handled the signal.
    private static func die(of number: CInt) {
        // Sound: the calls change and read a set of ours.
        var signals = handled
        signal(number, SIG_DFL)
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        raise(number)
    }

    private func endProcess() -> Never {
        var alarm = itimerval()
        alarm.it_value.tv_usec = Self.lastWordsPatience
        // Sound: the handler calls what may be called in one, and the timer is a structure of ours.
        signal(SIGALRM) { _ in _exit(EX_IOERR) }
        _ = unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &alarm, nil)
        let handlers = state.withLock { $0.handlers }
        _exit(handlers?.lastWords() ?? EX_SOFTWARE)
    }

    private func maintain() {
        while true {
            let (handlers, mustReload, mustReopen) = state.waitUntil(
                { $0.handlers != nil && ($0.mustReload || $0.mustReopen) },
                then: { state in
                    defer { (state.mustReload, state.mustReopen) = (false, false) }
                    return (state.handlers, state.mustReload, state.mustReopen)
                })
            if mustReload { handlers?.reload() }
            if mustReopen { handlers?.reopen() }
        }
    }

    // MARK: Signals that are ignored

    /// A client, a terminal or a journal that has gone away, and a file that may not grow, are told
    /// by the write's error.
    static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Signals that mean nothing to a server, and would end it all the same without a word in the
    /// log: SIGUSR2 for SIGUSR1 is a slip, and nobody who sends one of the others wants an end, for
    /// which there is SIGTERM. Those that ask for a core file are the log's (`CrashReport`).
    static func ignoreUnusedSignals() {
        for number in [SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR] {
            signal(number, SIG_IGN)
        }
        // glibc has the first two for itself, and begins behind them.
        for number in __libc_current_sigrtmin()...__libc_current_sigrtmax() {
            signal(number, SIG_IGN)
        }
    }
}
