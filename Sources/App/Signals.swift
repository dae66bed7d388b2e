import Dispatch
import Glibc

/// Signals as Dispatch sources, caught from the moment this is made.
final class Signals {
    private let queue = DispatchQueue(label: "gatehouse.signals")
    private var sources: [any DispatchSourceSignal] = []

    init() {
        for number in [SIGTERM, SIGINT, SIGHUP, SIGPIPE] { signal(number, SIG_IGN) }
    }

    /// Returns at SIGTERM or SIGINT; calls `onHangUp` at each SIGHUP until then.
    func wait(onHangUp: @escaping @Sendable () -> Void) {
        let ended = DispatchSemaphore(value: 0)
        for number in [SIGTERM, SIGINT, SIGHUP] {
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if number == SIGHUP { onHangUp() } else { ended.signal() }
            }
            source.resume()
            sources.append(source)
        }
        ended.wait()
    }
}
