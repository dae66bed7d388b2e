import Glibc

/// A value and the lock that guards it. A pthread mutex with a condition, because the thread
/// sanitizer understands those; `Synchronization.Mutex` gives it false alarms on Linux.
///
/// `@unchecked Sendable` is sound: the value is reached only through `withLock` and `wait`, which
/// hold the mutex; the two pthread objects are made to be shared and stay where they are allocated.
///
/// Inlinable, so that a caller in another module pays for the lock and not for being generic.
@usableFromInline
@safe package final class Monitor<Value>: @unchecked Sendable {
    @usableFromInline var value: Value
    @usableFromInline let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    @usableFromInline let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    package init(_ value: Value) {
        self.value = value
        // What is done under a lock here is short: look again a few times before falling asleep.
        var kind = pthread_mutexattr_t()
        // Sound: each is initialized once, where it was allocated, before anybody else has it.
        unsafe pthread_mutexattr_init(&kind)
        unsafe pthread_mutexattr_settype(&kind, CInt(PTHREAD_MUTEX_ADAPTIVE_NP))
        unsafe pthread_mutex_init(mutex, &kind)
        unsafe pthread_mutexattr_destroy(&kind)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        // Sound: whoever could still hold the one or wait for the other has a reference to this object.
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    @inlinable
    package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        // Sound: made in `init`, and there for as long as this object; the same thread unlocks it.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&value)
    }

    /// Like `withLock`, but first waits until `isReady` says so; it is asked whenever somebody
    /// calls `wakeAll`.
    @inlinable
    package func waitUntil<Result>(
        _ isReady: (Value) -> Bool, then body: (inout Value) -> Result
    ) -> Result {
        // Sound as in `withLock`; the mutex is held when the waiting begins.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while !isReady(value) { unsafe pthread_cond_wait(condition, mutex) }
        return body(&value)
    }

    // Sound: made in `init`, and there for as long as this object.
    package func wakeAll() { unsafe pthread_cond_broadcast(condition) }
}
