import Glibc

/// A value and the lock that guards it. A pthread mutex with a condition, because the thread
/// sanitizer understands those; `Synchronization.Mutex` gives it false alarms on Linux.
///
/// Sound: `@unchecked Sendable`, because the value is accessed only in `withLock` and `waitUntil`,
/// which hold the mutex. The two pthread objects may be shared, and stay where they are allocated.
///
/// Inlinable, so that a caller in another module pays for the lock but not for generics.
@usableFromInline
@safe package final class Monitor<Value>: @unchecked Sendable {
    @usableFromInline var value: Value
    @usableFromInline let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    @usableFromInline let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    package init(_ value: Value) {
        self.value = value
        // Critical sections here are short: spin a few times before sleeping.
        var kind = pthread_mutexattr_t()
        // Sound: each is initialized once, where it was allocated, before another thread has it.
        unsafe pthread_mutexattr_init(&kind)
        unsafe pthread_mutexattr_settype(&kind, CInt(PTHREAD_MUTEX_ADAPTIVE_NP))
        unsafe pthread_mutex_init(mutex, &kind)
        unsafe pthread_mutexattr_destroy(&kind)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        // Sound: a thread that could hold the mutex or wait for the condition has a reference to
        // this object.
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    @inlinable
    package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        // Sound: initialized in `init`, valid for the lifetime of this object; the same thread
        // unlocks it.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&value)
    }

    /// As `withLock`, but first waits until `isReady` returns true. It is called at once and after
    /// each `wakeAll`.
    @inlinable
    package func waitUntil<Result>(
        _ isReady: (Value) -> Bool, then body: (inout Value) -> Result
    ) -> Result {
        // Sound: as in `withLock`; the mutex is held when the wait begins.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while !isReady(value) { unsafe pthread_cond_wait(condition, mutex) }
        return body(&value)
    }

    // Sound: initialized in `init`, valid for the lifetime of this object.
    package func wakeAll() { unsafe pthread_cond_broadcast(condition) }
}
