import Foundation
import TestSupport

/// Threads that send requests continuously, and the responses they got.
///
/// `@unchecked Sendable` is sound: all mutable state is guarded by `condition`.
final class Load: @unchecked Sendable {
    struct Answer: Sendable {
        let id: String
        let isLogin: Bool
        let status: Int
        /// Number of log lines for a request that was answered 200.
        var lineCount: Int { isLogin ? 2 : 1 }
    }

    private let condition = NSCondition()
    private var answers: [Answer] = []
    private var running = 0
    private var mustStop = false

    /// Starts `clients` threads that log in and use the token repeatedly, until the server stops or
    /// `end` is called.
    init(_ server: ServerProcess, clients: Int, name: String) {
        running = clients
        for number in 0..<clients {
            Thread.detachNewThread {
                try? self.run(server, "\(name)-\(number)")
                self.condition.withLock {
                    self.running -= 1
                    self.condition.broadcast()
                }
            }
        }
    }

    private func run(_ server: ServerProcess, _ name: String) throws {
        let client = try server.client()
        var token: String?
        for round in 0... {
            if condition.withLock({ mustStop }) { return }
            let id = "\(name)-\(round)"
            let isLogin = token == nil || round.isMultiple(of: 3)
            try client.send(isLogin ? .login(1, id) : .resource(token ?? "", id))
            let response = try client.response()
            guard response["X-Request-Id"] == id else { return }
            if isLogin, response.status == 200 { token = try response.token }
            condition.withLock {
                answers.append(Answer(id: id, isLogin: isLogin, status: response.status))
                condition.broadcast()
            }
        }
    }

    /// Returns when `count` requests have been answered, or when all threads have ended.
    func wait(for count: Int) {
        condition.withLock { while answers.count < count, running > 0 { condition.wait() } }
    }

    /// Returns after `count` more answers, or when all threads have ended.
    func waitForMore(_ count: Int) { wait(for: condition.withLock { answers.count } + count) }

    /// Returns after this many seconds, or when all threads have ended.
    func wait(seconds: Double) {
        let deadline = Date(timeIntervalSinceNow: seconds)
        condition.withLock { while running > 0, condition.wait(until: deadline) {} }
    }

    /// Stops the threads and returns all answers.
    func end() -> [Answer] {
        condition.withLock {
            mustStop = true
            while running > 0 { condition.wait() }
            return answers
        }
    }
}

extension [Load.Answer] {
    /// Request ids of the answers with status 200.
    var ids: Set<String> { Set(filter { $0.status == 200 }.map(\.id)) }

    var statuses: Set<Int> { Set(map(\.status)) }
}
