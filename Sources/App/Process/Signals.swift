import Glibc
import POSIX
import Time

/// Handles the signals that control a server. A thread that is created at the start waits for them.
/// So a stop needs no resource that the system could refuse later, and no other work can delay it.
/// A second such thread reloads the configuration and reopens the log.
///
/// A stop has a deadline. If the server has not ended by then, the process completes its log and
/// exits. If that blocks too, an alarm ends the process.
final class Signals: Sendable {
    struct Handlers: Sendable {
        /// Called after SIGHUP.
        var reload: @Sendable () -> Void
        /// Called after SIGUSR1.
        var reopen: @Sendable () -> Void
        /// Returns how long the stop that begins now may take.
        var stopTimeout: @Sendable () -> TimeAmount
        /// Called at a second SIGTERM or SIGINT. It must not block.
        var closeConnections: @Sendable () -> Void
        /// Called when a stop exceeds its deadline: completes the log, and returns the exit code.
        var finishLog: @Sendable () -> CInt
    }

    private struct State {
        /// Nil until the server serves.
        var handlers: Handlers?
        var mustStop = false
        var mustReload = false
        var mustReopen = false
    }

    /// How long `finishLog` may take before the alarm ends the process, in microseconds.
    private static let lastWordsTimeout = 150_000
    /// How long a stop may take after the drain timeout, or after a second signal.
    private static let stopGrace = TimeAmount(milliseconds: 750)

    private let state = Monitor(State())

    /// Blocks the signals, and starts the threads that wait for them. Until `serve` is called,
    /// SIGTERM and SIGINT end the process immediately.
    /// - Precondition: the process has no other threads, because new threads inherit the signal
    ///   mask.
    /// - Throws: a thread cannot be created.
    init() throws(Errno) {
        var signals = Self.handled
        // Sound: the call reads a local variable.
        _ = unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        try SystemThread.start { self.wait() }
        try SystemThread.start { self.maintain() }
    }

    /// Sets the handlers. Signals to reload or reopen that have arrived before are handled now.
    func serve(_ handlers: Handlers) {
        state.withLock { $0.handlers = handlers }
        state.wakeAll()
    }

    /// Returns at SIGTERM or SIGINT.
    func waitForStop() { state.waitUntil(\.mustStop, then: { _ in }) }

    // MARK: The threads

    private static var handled: sigset_t {
        var signals = sigset_t()
        // Sound: the calls change a local variable.
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
                deadline = min(deadline, .now + timeout + Self.stopGrace)
                if isSecond { handlers.closeConnections() }
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
            // Sound: the call reads two local variables, and writes nothing.
            let number = unsafe sigtimedwait(&signals, nil, &timeout)
            if number > 0 { return number }
            if errno == EAGAIN, deadline <= .now { return nil }
        }
    }

    /// Ends the process by the default action of the signal.
    private static func die(of number: CInt) {
        // Sound: the calls read a local variable.
        var signals = handled
        signal(number, SIG_DFL)
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        raise(number)
    }

    private func endProcess() -> Never {
        var alarm = itimerval()
        alarm.it_value.tv_usec = Self.lastWordsTimeout
        // Sound: the handler calls only an async-signal-safe function, and the timer is a local
        // variable.
        signal(SIGALRM) { _ in _exit(EX_IOERR) }
        _ = unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &alarm, nil)
        let handlers = state.withLock { $0.handlers }
        _exit(handlers?.finishLog() ?? EX_SOFTWARE)
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

    /// Ignores SIGPIPE and SIGXFSZ: a closed pipe or socket, and the limit of a file's size, are
    /// reported as errors of write(2).
    static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Ignores signals that the server does not use, but whose default action ends the process
    /// without a line in the log. SIGUSR2 is an easy typo for SIGUSR1. Signals that produce a core
    /// file are handled by `CrashReport`.
    static func ignoreUnusedSignals() {
        for number in [SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR] {
            signal(number, SIG_IGN)
        }
        // SIGRTMIN of glibc is above the two real-time signals that glibc reserves for itself.
        for number in __libc_current_sigrtmin()...__libc_current_sigrtmax() {
            signal(number, SIG_IGN)
        }
    }
}
