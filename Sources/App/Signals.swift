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

    /// Returns at SIGTERM or SIGINT.
    func wait() { ended.wait() }
}
