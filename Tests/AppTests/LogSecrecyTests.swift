import Foundation
import JWT
import TestSupport
import Testing

@Suite(.blocking, .serialized)
struct LogSecrecyTests {
    private let folder = try! TemporaryFolder()

    @Test func `no secret is in any log or output, even if everything is logged`() throws {
        try SealedLog.configure(folder)
        let settings = [
            "LOG_LEVEL": "DEBUG", "LOG_FILE_LEVEL": "DEBUG", "LOG_STDERR_LEVEL": "DEBUG",
            "LOG_FILE_PATH": "app.log",
        ]
        var output = ""
        var tokens: [String] = []
        for format in ["text", "json", "logfmt"] {
            let server = try ServerProcess(
                in: folder, settings.merging(["LOG_FORMAT": format]) { $1 },
                SealedLog.configuration)
            let token = try server.ask(.login(1)).token
            tokens.append(token)
            for request in requests(token) { _ = try? server.ask(request) }
            #expect(try server.stop() == .exited(0))
            output += server.process.standardError + server.process.standardOutput
        }
        for command in [
            ["verify"], ["verify", "--json"], ["stats"], ["stats", "--json"], ["head"],
            ["tail", "--no-follow", "--lines", "10000"],
        ] {
            let (_, report, errors) = try ServerProcess.run(
                ["log"] + command + SealedLog.configuration, in: folder, settings)
            #expect(!report.isEmpty)
            output += report + errors
        }
        let written = try folder.allNames.filter { !$0.hasSuffix(".key") && $0 != "gatehouse.json" }
            .map { try folder.content($0) }.joined()
        #expect(written.contains("http_request"))
        #expect(output.contains("http_request"))

        // The beginning of every JWT, the keys, and parts of the tokens of this run.
        let secrets =
            ["eyJhbGci", "a token key of", "a seal key, and"]
            + tokens.flatMap { $0.split(separator: ".").map { String($0.suffix(20)) } }
        for secret in secrets {
            #expect(!written.contains(secret), "\(secret)")
            #expect(!output.contains(secret), "\(secret)")
        }
    }

    /// Requests with a token in the right place, and in every wrong place of a head or a body.
    private func requests(_ token: String) -> [String] {
        let parts = token.split(separator: ".").map(String.init)
        let content = "{\"user_id\":\"\(token)\",\"password\":\"\(token)\"}"
        let fields = [
            "Authorization: Bearer \(token)", "Authorization: bearer  \(token)",
            "Authorization: Bearer \(token)x", "Authorization: Bearer \(token) \(token)",
            "Authorization: Bearer \(parts[0]).\(parts[1]).", "Authorization: Bearer \(parts[1])",
            "Authorization: Bearer=\(token)", "Authorization: \(token)",
            "Authorization: Basic \(token)", "Authorization: Bearer \"\(token)\"",
            "Authorization: Bearer \(token)\r\nAuthorization: Bearer \(token)",
            "Cookie: token=\(token)", "X-Forwarded-For: \(token)", "User-Agent: \(token)",
            "X-Request-Id: \(token)", "Expect: \(token)", "Transfer-Encoding: \(token)",
            "Content-Length: \(token)", "Connection: \(token)", "Content-Type: \(token)",
            "\(token): x", " \(token)", "\(token)", "Referer: http://h/?token=\(token)",
        ]
        return fields.map { "GET /resource HTTP/1.1\r\nHost: localhost\r\n\($0)\r\n\r\n" } + [
            "GET /resource?access_token=\(token) HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /resource HTTP/1.1\r\nHost: \(token)\r\n\r\n",
            "GET /resource \(token)\r\nHost: localhost\r\n\r\n",
            "\(token) /resource HTTP/1.1\r\n\r\n",
            "GET \(token) HTTP/1.1\r\nHost: localhost\r\n\r\n", "\(token)\r\n\r\n",
            "POST /login HTTP/1.1\r\nHost: localhost\r\n"
                + "Content-Length: \(content.utf8.count)\r\n\r\n" + content,
            "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(token.utf8.count)\r\n\r\n"
                + token,
            "POST /login HTTP/1.1\r\nHost: localhost\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n\(token)\r\n",
        ]
    }
}
