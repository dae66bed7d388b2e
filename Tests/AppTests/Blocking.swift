import TestSupport
import Testing

/// A trait for tests that block on sockets: each test runs on its own thread.
struct Blocking: TestTrait, SuiteTrait, TestScoping {
    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(BlockingExecutor.shared) { try await function() }
    }
}

extension Trait where Self == Blocking {
    static var blocking: Blocking { Blocking() }
}
