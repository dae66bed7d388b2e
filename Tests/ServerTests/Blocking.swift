import TestSupport
import Testing

/// For tests that wait for sockets: each runs on a thread of its own.
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
