import Glibc

/// A thread that is created immediately or not at all. Dispatch creates its threads later, and a
/// caller waits for as long as the system refuses one.
package enum SystemThread {
    private final class Start {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs `body` on a new, detached thread.
    /// - Throws: the error of pthread_create(3).
    package static func start(_ body: @escaping @Sendable () -> Void) throws(Errno) {
        let thread = try make(body)
        pthread_detach(thread)
    }

    /// Runs `body` on a new thread.
    /// - Returns: the thread, for `join`.
    static func make(_ body: @escaping @Sendable () -> Void) throws(Errno) -> pthread_t {
        // Sound: the reference is released once: by the thread, or below if none was created.
        let start = unsafe Unmanaged.passRetained(Start(body))
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                // Sound: see above.
                let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                start.body()
                return nil
            }, start.toOpaque())
        guard result == 0 else {
            unsafe start.release()
            throw Errno(result)
        }
        return thread
    }

    static func join(_ thread: pthread_t) {
        _ = pthread_join(thread, nil)
    }
}
