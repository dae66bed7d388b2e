import Foundation
import TestSupport
import Testing

@Suite(.blocking, .tags(.timing))
struct MetricsTests {
    private let folder = try! TemporaryFolder()

    /// Starts a server, again with another metrics port if another process took the port meanwhile.
    private func startServer(_ settings: [String: String] = [:]) throws -> (ServerProcess, UInt16) {
        for _ in 0..<20 {
            let port = try unusedPort()
            let all = settings.merging(["ADMIN_METRICS": "127.0.0.1:\(port)"]) { old, _ in old }
            if let server = try? ServerProcess(in: folder, all) {
                return (server, port)
            }
            try? FileManager.default.removeItem(atPath: folder.path("app.log"))
        }
        throw CocoaError(.featureUnsupported)
    }

    /// The value of each series by its name and labels.
    private func series(_ port: UInt16) throws -> [String: Double] {
        let client = try Client(port: port)
        try client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
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

    @Test func `the metrics agree with the responses that clients received`() throws {
        let (server, port) = try startServer()
        let token = try server.ask(.login(1)).token
        for _ in 0..<3 { _ = try server.ask(.resource(token)) }
        _ = try server.ask(.resource(token + "x"))
        _ = try server.ask("GET /resource HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = try server.ask("GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = try server.ask("GET /resource HTTP/1.1\r\n\r\n")
        let logout =
            "POST /logout HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n"
            + "Content-Length: 0\r\n\r\n"
        _ = try server.ask(logout)
        _ = try server.ask(.resource(token))

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
            "gatehouse_log_dropped_total{file=\"app\"}": 0,
            "gatehouse_log_dropped_total{file=\"audit\"}": 0,
            "gatehouse_log_suppressed_total{file=\"audit\"}": 0,
        ]
        for (name, value) in expected { #expect(series[name] == Double(value), "\(name)") }
        #expect(try #require(series["process_resident_memory_bytes"]) > 1_000_000)
        #expect(try #require(series["process_open_fds"]) > 5)
        // The counters exclude seals and other lines of the log about itself.
        let lines = try folder.log().split(separator: "\n").filter {
            !$0.contains(" | log | ")
        }
        #expect(
            try #require(series["gatehouse_log_lines_total{file=\"app\"}"]) == Double(lines.count))
        let bytes = lines.reduce(0) { $0 + $1.utf8.count + 1 }
        #expect(try #require(series["gatehouse_log_bytes_total{file=\"app\"}"]) == Double(bytes))
    }

    @Test func `the metrics agree with evicted, disconnected and refused clients`() throws {
        let (server, port) = try startServer(["SERVER_MAX_CONNECTIONS": "4", "SERVER_WORKERS": "2"])
        let live = String.get("/health/live")
        // The number of responses that clients have received, by status.
        var received: [Int: Double] = [:]
        var connections = 0.0
        func client() throws -> Client {
            connections += 1
            return try server.client()
        }
        func ask(_ client: Client, _ request: String = live) throws {
            try client.send(request)
            received[try client.response().status, default: 0] += 1
        }
        func expectAccount(open: Double, tooMany: Double) throws {
            let isSo = try eventually { try series(port)["gatehouse_connections"] == open }
            #expect(isSo)
            let found = try series(port)
            let requests = "gatehouse_http_requests_total"
            let expected = [
                "\(requests){route=\"/health/live\",status=\"200\"}": received[200],
                "gatehouse_http_request_duration_seconds_count{route=\"/health/live\"}": received[
                    200],
                "\(requests){route=\"none\",status=\"400\"}": received[400],
                "\(requests){route=\"none\",status=\"503\"}": received[503],
                "gatehouse_http_refused_total": (received[400] ?? 0) + (received[503] ?? 0),
                "gatehouse_connections_accepted_total": connections,
                "gatehouse_connections_refused_total": tooMany,
            ]
            for (name, value) in expected { #expect(found[name] == value, "\(name)") }
            for (name, value) in found where name.hasPrefix("gatehouse_timeouts_total") {
                #expect(value == 0, "\(name)")
            }
            let total = found.filter { $0.key.hasPrefix(requests) }.values.reduce(0, +)
            #expect(total == received.values.reduce(0, +))
        }

        // Each new connection evicts an idle one of any worker.
        var clients: [Client] = []
        for _ in 0..<10 {
            clients.append(try client())
            try ask(clients[clients.count - 1])
        }
        try expectAccount(open: 4, tooMany: 0)
        let displaced = clients.filter { $0.hasReceived() }
        #expect(displaced.count == 6)
        for client in displaced { #expect(try client.readToEnd() == "") }
        clients.removeAll { client in displaced.contains { $0 === client } }
        try #require(clients.count == 4)

        // Clients disconnect inside a request: by close, by reset, and by a half-close, which still
        // allows a response.
        let half = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        try clients[0].send(half)
        clients[0].close()
        // The server cannot distinguish a close from a half-close: it sends a response, which is
        // lost.
        received[400, default: 0] += 1
        try clients[1].send(half)
        clients[1].reset()
        try clients[2].send(half)
        clients[2].closeWrite()
        try ask(clients[2], "")
        clients[2].close()
        // A client disconnects inside a response after it has received the beginning.
        try clients[3].send(live)
        #expect(clients[3].hasReceived(within: CInt(TestScale.timeout * 1000)))
        received[200, default: 0] += 1
        clients[3].reset()
        try expectAccount(open: 0, tooMany: 0)

        // Four connections inside a request cannot be evicted, so new ones are refused.
        let busy = try (0..<4).map { _ in try client() }
        for client in busy { try ask(client, live + half) }
        for _ in 0..<3 {
            let refused = try client()
            try ask(refused, "")
            refused.close()
        }
        try expectAccount(open: 4, tooMany: 3)
    }

    @Test func `metrics are served on their own loopback listener only`() throws {
        let (server, port) = try startServer()
        #expect(try server.ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 404)
        let metrics = try Client(port: port)
        try metrics.send("GET /resource HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try metrics.response().status == 404)
    }
}
