import Dispatch
import Glibc

/// Signals as Dispatch sources, caught from the moment this is made: one that comes at once, as from
/// a supervisor that has changed its mind, is not lost.
final class Signals {
    private let ended = DispatchSemaphore(value: 0)
    private var sources: [any DispatchSourceSignal] = []

    /// - Parameters:
    ///   - onReload: called at each SIGHUP.
    ///   - onReopen: called at each SIGUSR1.
    init(onReload: @escaping @Sendable () -> Void, onReopen: @escaping @Sendable () -> Void) {
        let ended = ended
        let registered = DispatchGroup()
        for number in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] {
            // On a queue of its own each, so that a reopen that hangs does not hide the wish to stop.
            let queue = DispatchQueue(label: "gatehouse.signal.\(number)")
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                switch number {
                case SIGHUP: onReload()
                case SIGUSR1: onReopen()
                default: ended.signal()
                }
            }
            // A source counts from its registration, which happens on a thread of Dispatch's.
            registered.enter()
            source.setRegistrationHandler { registered.leave() }
            source.resume()
            sources.append(source)
        }
        registered.wait()
    }

    /// A client, a terminal or a journal that has gone away, and a file that may not grow, are told by
    /// the write's error.
    static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Signals that mean nothing to a server, and would end it all the same without a word in the log:
    /// SIGUSR2 for SIGUSR1 is a slip, and nobody who sends one of the others wants an end, for which there
    /// is SIGTERM. Those that ask for a core file are the log's (`CrashReport`).
    static func ignoreStrangers() {
        for number in [SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR] {
            signal(number, SIG_IGN)
        }
        // glibc has the first two for itself, and begins behind them.
        for number in __libc_current_sigrtmin()...__libc_current_sigrtmax() {
            signal(number, SIG_IGN)
        }
    }

    /// Returns at SIGTERM or SIGINT.
    func wait() { ended.wait() }
}
