import Foundation
import TestSupport
import Testing

@Suite("What is counted", .blocking)
struct MetricsTests {
    private let folder = try! TemporaryFolder()

    /// One with a port for its metrics that nobody has taken in the meantime.
    private func house() throws -> (House, UInt16) {
        for _ in 0..<20 {
            let port = try unusedPort()
            if let house = try? House(in: folder, ["ADMIN_METRICS": "127.0.0.1:\(port)"]) {
                return (house, port)
            }
            try? FileManager.default.removeItem(atPath: folder.path("app.log"))
        }
        throw CocoaError(.featureUnsupported)
    }

    /// The value of each series, by what stands before it.
    private func series(_ port: UInt16) throws -> [String: Double] {
        let client = try Client(port: port)
        try client.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        let response = try client.response()
        #expect(response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
        var series: [String: Double] = [:]
        for line in response.content.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: " ")
            try #require(parts.count == 2)
            series[String(parts[0])] = Double(String(parts[1])) ?? .nan
        }
        return series
    }

    @Test("agrees with what clients were answered")
    func counts() throws {
        let (house, port) = try house()
        let token = try house.ask(.login(1)).token
        for _ in 0..<3 { _ = try house.ask(.resource(token)) }
        _ = try house.ask(.resource(token + "x"))
        _ = try house.ask("GET /resource HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = try house.ask("GET /elsewhere HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = try house.ask("GET /resource HTTP/1.1\r\n\r\n")
        let logout =
            "POST /logout HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \(token)\r\n"
            + "Content-Length: 0\r\n\r\n"
        _ = try house.ask(logout)
        _ = try house.ask(.resource(token))

        let series = try series(port)
        let requests = "gatehouse_http_requests_total"
        let expected = [
            "\(requests){route=\"/login\",status=\"200\"}": 1,
            "\(requests){route=\"/resource\",status=\"200\"}": 3,
            "\(requests){route=\"/resource\",status=\"401\"}": 3,
            "\(requests){route=\"/logout\",status=\"204\"}": 1,
            "\(requests){route=\"other\",status=\"404\"}": 1,
            "\(requests){route=\"none\",status=\"400\"}": 1,
            "gatehouse_http_request_duration_seconds_count{route=\"/resource\"}": 6,
            "gatehouse_http_refused_total": 1,
            "gatehouse_tokens_issued_total": 1,
            "gatehouse_tokens_verified_total": 4,
            "gatehouse_tokens_rejected_total{reason=\"missing\"}": 1,
            "gatehouse_tokens_rejected_total{reason=\"bad_signature\"}": 1,
            "gatehouse_tokens_reused_total": 1,
            "gatehouse_logins_total{outcome=\"success\"}": 1,
            "gatehouse_logouts_total": 1,
            "gatehouse_revocation_entries{kind=\"session\"}": 1,
            "gatehouse_log_dropped_total": 0,
        ]
        for (name, value) in expected { #expect(series[name] == Double(value), "\(name)") }
        #expect(try #require(series["process_resident_memory_bytes"]) > 1_000_000)
        #expect(try #require(series["process_open_fds"]) > 5)
        // Every line but the seals and what the file says of itself is one that was recorded.
        let lines = try folder.log().split(separator: "\n").filter {
            !$0.contains(" | log | ")
        }
        #expect(try #require(series["gatehouse_log_lines_total"]) == Double(lines.count))
        let bytes = lines.reduce(0) { $0 + $1.utf8.count + 1 }
        #expect(try #require(series["gatehouse_log_bytes_total"]) == Double(bytes))
    }

    @Test("is told on the loopback interface alone, and on no public listener")
    func listener() throws {
        let (house, port) = try house()
        #expect(try house.ask("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").status == 404)
        let metrics = try Client(port: port)
        try metrics.send("GET /resource HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try metrics.response().status == 404)
    }
}
