import HTTP
import Metrics
import Testing
import Time

@testable import App

@Suite("Counting a request with slow work")
struct RequestCountingTests {
    private let metrics = RequestMetricsMiddleware.table()

    /// The answer to `POST /login`, by this handler with its counting around it.
    private func reply(_ handler: @escaping TwoStepHandler) throws -> HandlerResult {
        let address = Array("127.0.0.1".utf8)
        var conversation = Conversation(
            limits: .init(), client: ClientAddress(address.span)!, seed: 1)
        let bytes = Array("POST /login HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        conversation.receive(bytes.span)
        let request = try #require(try conversation.next())
        return RequestMetricsMiddleware.inTwoSteps(metrics)(handler)(request)
    }

    private func work(of reply: HandlerResult) throws -> OffloadedWork {
        struct NotSlow: Error {}
        guard case .slow(let work) = reply else { throw NotSlow() }
        return work
    }

    private func series(_ name: String) throws -> Double {
        var text = MetricsText()
        metrics.write(to: &text, requests: "requests_total", duration: "request_seconds")
        let lines = String(decoding: text.bytes, as: UTF8.self).split(separator: "\n")
        let line = lines.first { $0.hasPrefix(name + "{route=\"/login\"}") }
        let value = try #require(line).split(separator: " ").last
        return try Double(String(#require(value))) ?? .nan
    }

    /// Returns when the clock has gone on by two milliseconds.
    private func let2MillisecondsPass() {
        let start = MonotonicTime.now
        while MonotonicTime.now.nanoseconds - start.nanoseconds < 2_000_000 {}
    }

    @Test("counts it when its answer is there, and all its time until then")
    func runs() throws {
        let reply = try reply { _ in
            let2MillisecondsPass()
            return .slow(.cpuBound) {
                let2MillisecondsPass()
                return Response(.unauthorized)
            }
        }
        let work = try work(of: reply)
        let2MillisecondsPass()
        #expect(metrics.count(ofRoute: 2, status: 401) == 0)
        #expect(work.run().status == .unauthorized)
        #expect(metrics.count(ofRoute: 2, status: 401) == 1)
        #expect(try series("request_seconds_count") == 1)
        #expect(try series("request_seconds_sum") >= 0.006)
    }

    @Test("counts it as answered 503 when there was no room")
    func refused() throws {
        let reply = try reply { _ in .slow(.cpuBound) { Response(.ok) } }
        let work = try work(of: reply)
        let2MillisecondsPass()
        work.refused()
        #expect(metrics.count(ofRoute: 2, status: 503) == 1)
        #expect(metrics.count(ofRoute: 2, status: 200) == 0)
        #expect(try series("request_seconds_sum") >= 0.002)
    }

    @Test("counts what is answered at once with the time that it took")
    func atOnce() throws {
        _ = try reply { _ in
            let2MillisecondsPass()
            return .response(Response(.badRequest))
        }
        #expect(metrics.count(ofRoute: 2, status: 400) == 1)
        #expect(try series("request_seconds_sum") >= 0.002)
    }
}
