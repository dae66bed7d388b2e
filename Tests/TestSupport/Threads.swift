import Foundation

/// A body that runs on a thread of its own.
package struct TestThread: Sendable {
    private let group = DispatchGroup()

    package init(_ body: @escaping @Sendable () -> Void) {
        group.enter()
        let group = group
        Thread {
            body()
            group.leave()
        }.start()
    }

    /// Returns after the body has returned.
    package func join() { group.wait() }
}

/// Runs `body` on `count` threads at once and returns after all of them are done.
package func inThreads(_ count: Int, _ body: @escaping @Sendable (_ thread: Int) -> Void) {
    let threads = (0..<count).map { thread in TestThread { body(thread) } }
    for thread in threads { thread.join() }
}
