import Foundation

/// Runs every job on a thread of its own. Tests that wait for sockets and processes run here, so
/// that they do not block the few threads that all tests share.
package final class BlockingExecutor: TaskExecutor {
    package static let shared = BlockingExecutor()

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
