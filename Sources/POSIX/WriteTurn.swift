/// A value guarded by a lock, and the turn to write what several threads collect in it: group
/// commit.
///
/// Each thread adds to the value under the lock. One of them, the leader, takes the turn and what
/// was collected until then, releases the lock, writes, and ends the turn. Meanwhile other threads
/// collect more and wait. A waiting thread is done if the leader has written its part; of the
/// others, one becomes the next leader. So one write serves all threads that arrived during the
/// previous one.
package final class WriteTurn<Value>: Sendable {
    /// What a thread gets after waiting.
    package enum Role<Outcome, Work> {
        /// Another thread has written this thread's part.
        case done(Outcome)
        /// This thread has the turn. It must write, and then call `end`.
        case leads(Work)
    }

    @usableFromInline
    struct Guarded {
        @usableFromInline var value: Value
        @usableFromInline var isTaken = false

        init(value: Value) { self.value = value }
    }

    @usableFromInline let monitor: Monitor<Guarded>

    package init(_ value: Value) {
        monitor = Monitor(Guarded(value: value))
    }

    /// Calls `body` under the lock, whether a thread has the turn or not.
    @inlinable
    package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        monitor.withLock { body(&$0.value) }
    }

    /// Waits until this thread's part is written or the turn is free.
    /// - Parameters:
    ///   - outcome: the result for this thread's part; nil while it is not written. Called under
    ///     the lock, at once and after the end of each turn.
    ///   - begin: takes from the value what is to be written. Called under the lock, if this thread
    ///     gets the turn.
    @inlinable
    package func wait<Outcome, Work>(
        for outcome: (Value) -> Outcome?, orLead begin: (inout Value) -> Work
    ) -> Role<Outcome, Work> {
        monitor.waitUntil(
            { !$0.isTaken || outcome($0.value) != nil },
            then: { guarded in
                if let outcome = outcome(guarded.value) { return .done(outcome) }
                guarded.isTaken = true
                return .leads(begin(&guarded.value))
            })
    }

    /// Waits for the turn and takes it. The caller must then call `end`.
    /// - Parameter begin: takes from the value what is to be written. Called under the lock.
    @inlinable
    package func take<Work>(_ begin: (inout Value) -> Work) -> Work {
        monitor.waitUntil(
            { !$0.isTaken },
            then: { guarded in
                guarded.isTaken = true
                return begin(&guarded.value)
            })
    }

    /// Ends the turn and wakes the waiting threads. Only for the thread that has the turn.
    /// - Parameter body: stores the outcome in the value. Called under the lock.
    @inlinable
    package func end<Result>(_ body: (inout Value) -> Result) -> Result {
        let result = monitor.withLock { guarded in
            guarded.isTaken = false
            return body(&guarded.value)
        }
        monitor.wakeAll()
        return result
    }
}
