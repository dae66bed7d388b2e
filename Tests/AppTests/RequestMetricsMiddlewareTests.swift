import HTTP
import Metrics
import Testing
import Time

@testable import App

struct RequestMetricsMiddlewareTests {
    private let metrics = RequestMetricsMiddleware.table()

    /// The result of a handler for `POST /login` that is wrapped in the middleware.
    private func result(_ handler: @escaping TwoStepHandler) throws -> HandlerResult {
        let address = Array("127.0.0.1".utf8)
        var conversation = Conversation(
            limits: .init(), client: ClientAddress(address.span)!, seed: 1)
        let bytes = Array("POST /login HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        conversation.receive(bytes.span)
        let request = try #require(try conversation.next())
        return RequestMetricsMiddleware.inTwoSteps(metrics)(handler)(request)
    }

    private func work(of result: HandlerResult) throws -> OffloadedWork {
        struct NotOffloaded: Error {}
        guard case .offloaded(let work) = result else { throw NotOffloaded() }
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

    /// Spins until two milliseconds have passed.
    private func spin2Milliseconds() {
        let start = MonotonicTime.now
        while MonotonicTime.now.nanoseconds - start.nanoseconds < 2_000_000 {}
    }

    @Test
    func `offloaded work is counted when it ends, with its full duration`() throws {
        let result = try result { _ in
            spin2Milliseconds()
            return .slow(.cpuBound) {
                spin2Milliseconds()
                return Response(.unauthorized)
            }
        }
        let work = try work(of: result)
        spin2Milliseconds()
        #expect(metrics.count(ofRoute: 2, status: 401) == 0)
        #expect(work.run().status == .unauthorized)
        #expect(metrics.count(ofRoute: 2, status: 401) == 1)
        #expect(try series("request_seconds_count") == 1)
        #expect(try series("request_seconds_sum") >= 0.006)
    }

    @Test func `offloaded work that is refused is counted as 503`() throws {
        let result = try result { _ in .slow(.cpuBound) { Response(.ok) } }
        let work = try work(of: result)
        spin2Milliseconds()
        work.rejected()
        #expect(metrics.count(ofRoute: 2, status: 503) == 1)
        #expect(metrics.count(ofRoute: 2, status: 200) == 0)
        #expect(try series("request_seconds_sum") >= 0.002)
    }

    @Test func `a request that is answered immediately is counted with its duration`() throws {
        _ = try result { _ in
            spin2Milliseconds()
            return .response(Response(.badRequest))
        }
        #expect(metrics.count(ofRoute: 2, status: 400) == 1)
        #expect(try series("request_seconds_sum") >= 0.002)
    }
}
