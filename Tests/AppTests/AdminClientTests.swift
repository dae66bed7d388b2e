import Glibc
import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

@testable import App

/// Listens on a Unix domain socket and sends the given bytes in response to any request.
private final class FakeServer {
    private let listener: CInt

    init(_ path: String) throws {
        listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        try #require(listen(listener, 8) == 0)
    }

    deinit { close(listener) }

    /// Answers the next client, then closes the connection.
    func answer(_ pieces: [[UInt8]]) -> TestThread {
        let listener = listener
        return TestThread {
            let client = accept(listener, nil, nil)
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            _ = recv(client, &buffer, buffer.count, 0)
            for piece in pieces { _ = send(client, piece, piece.count, CInt(MSG_NOSIGNAL)) }
            close(client)
        }
    }
}

@Suite(.blocking)
struct AdminClientTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path("s")
    }

    private func server(_ change: (inout ServerOptions) -> Void = { _ in }) throws -> HTTPServer {
        var router = Router()
        router.on(.get, "/hello") { _ in Response(.ok, json: Array("{\"a\":1}".utf8)) }
        router.on(.post, "/empty") { _ in Response(.noContent) }
        router.on(.post, "/echo") { request in
            Response(.ok, json: request.body.indices.map { request.body[$0] })
        }
        router.on(.get, "/large") { _ in
            Response(.ok, json: [UInt8](repeating: 0x61, count: 1 << 20))
        }
        router.on(.get, "/quite-large") { _ in
            Response(.ok, json: [UInt8](repeating: 0x61, count: 1_000_000))
        }
        var options = ServerOptions()
        options.address = .unix(path: path)
        options.drainTimeout = TimeAmount(milliseconds: 100)
        change(&options)
        let server = try HTTPServer(
            options, routes: router.routes(),
            hooks: ServerHooks(commit: { _ in true }, refused: { _ in }, acceptFailed: { _ in }))
        server.start()
        return server
    }

    @Test func `the client sends a request and returns the server's response`() throws {
        let server = try server()
        let client = AdminClient(socket: path)
        #expect(
            try client.send("GET", "/hello")
                == AdminClient.Answer(status: 200, body: Array("{\"a\":1}".utf8)))
        #expect(try client.send("GET", "/hello?user=1").status == 200)
        #expect(try client.send("POST", "/empty") == AdminClient.Answer(status: 204, body: []))
        #expect(
            try client.send("POST", "/echo", json: Array("{\"b\":2}".utf8)).body
                == Array("{\"b\":2}".utf8))
        let long = [UInt8](repeating: 0x62, count: 60_000)
        #expect(try client.send("POST", "/echo", json: long).body == long)
        #expect(try client.send("GET", "/quite-large").body.count == 1_000_000)
        #expect(
            try client.send("GET", "/nothing")
                == AdminClient.Answer(status: 404, body: Array("{\"error\":\"Not found\"}".utf8)))
        server.stop()
    }

    @Test func `the client returns the refusal of a request that was not sent in full`() throws {
        let server = try server { $0.limits = Conversation.Limits(body: 10) }
        let client = AdminClient(socket: path)
        let content = [UInt8](repeating: 0x62, count: 1_000_000)
        #expect(try client.send("POST", "/echo", json: content).status == 413)
        server.stop()
    }

    @Test func `a response over one mebibyte is malformed`() throws {
        let server = try server()
        #expect(throws: AdminClient.Failure.malformedResponse(path: path)) {
            try AdminClient(socket: path).send("GET", "/large")
        }
        server.stop()
    }

    @Test
    func `a missing socket file, a missing folder and a dead server's file mean no server`() throws
    {
        do { _ = try FakeServer(path) }
        for path in [path, folder.path("nothing"), folder.path("no/s")] {
            #expect(throws: AdminClient.Failure.notRunning(path: path)) {
                try AdminClient(socket: path).send("GET", "/hello")
            }
        }
        try folder.file("file", "")
        #expect(throws: AdminClient.Failure.notRunning(path: folder.path("file"))) {
            try AdminClient(socket: folder.path("file")).send("GET", "/hello")
        }
    }

    @Test(.enabled(if: geteuid() != 0))
    func `a socket of another user is reported as not permitted`() throws {
        let fake = try FakeServer(path)
        chmod(path, 0)
        #expect(throws: AdminClient.Failure.notPermitted(path: path)) {
            try AdminClient(socket: path).send("GET", "/hello")
        }
        withExtendedLifetime(fake) {}
    }

    @Test func `a path that is too long for a socket is reported`() {
        let path = folder.path(String(repeating: "x", count: 100))
        #expect(throws: AdminClient.Failure.pathTooLong(path: path)) {
            try AdminClient(socket: path).send("GET", "/hello")
        }
    }

    @Test(.tags(.timing))
    func `the client times out if the server neither answers nor reads`() throws {
        let fake = try FakeServer(path)
        let client = AdminClient(socket: path, timeout: TimeAmount(milliseconds: 50))
        #expect(throws: AdminClient.Failure.timedOut(path: path)) {
            try client.send("GET", "/hello")
        }
        #expect(throws: AdminClient.Failure.timedOut(path: path)) {
            try client.send("POST", "/x", json: [UInt8](repeating: 0x61, count: 10_000_000))
        }
        // Now the accept queue is full, and connecting blocks.
        for _ in 0..<20 {
            #expect(throws: AdminClient.Failure.timedOut(path: path)) {
                try AdminClient(socket: path, timeout: TimeAmount(milliseconds: 5)).send(
                    "GET", "/hello")
            }
        }
        withExtendedLifetime(fake) {}
    }

    @Test func `a response is parsed in any fragmentation`() throws {
        let fake = try FakeServer(path)
        let bytes = Array("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nhi".utf8)
        let running = fake.answer(bytes.map { [$0] })
        #expect(
            try AdminClient(socket: path).send("GET", "/")
                == AdminClient.Answer(status: 201, body: Array("hi".utf8)))
        running.join()
    }

    @Test func `the client stops reading an endless response`() throws {
        let fake = try FakeServer(path)
        let running = fake.answer(
            [[UInt8]](repeating: [UInt8](repeating: 0x61, count: 1 << 16), count: 100))
        #expect(throws: AdminClient.Failure.malformedResponse(path: path)) {
            try AdminClient(socket: path).send("GET", "/")
        }
        running.join()
    }

    @Test(arguments: [
        "", "hello", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
        " HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1 \r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 00000001\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: \u{1}\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: ä\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\nx",
    ])
    func `a response that the server would not send is malformed`(text: String) {
        #expect(AdminClient.Answer(Array(text.utf8)) == nil)
    }

    @Test func `field names are matched without case, and an empty reason is accepted`() {
        let text = "HTTP/1.1 503 Service Unavailable\r\nX: y\r\ncOnTent-lengTh:2\r\n\r\n\r\n"
        #expect(
            AdminClient.Answer(Array(text.utf8))
                == AdminClient.Answer(status: 503, body: Array("\r\n".utf8)))
        #expect(
            AdminClient.Answer(Array("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n".utf8))
                == AdminClient.Answer(status: 200, body: []))
    }

    @Test func `no damaged response traps`() {
        let bytes = Array("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nhi".utf8)
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<TestScale.rounds(2000, long: 200_000) {
            var damaged = bytes
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                let index = Int.random(in: 0..<damaged.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: damaged[index] = UInt8(Int.random(in: 0..<256, using: &generator))
                case 1: damaged.remove(at: index)
                default:
                    damaged.insert(UInt8(Int.random(in: 0..<256, using: &generator)), at: index)
                }
            }
            if let answer = AdminClient.Answer(damaged) {
                #expect(answer.body.count < damaged.count)
            }
        }
        for count in 0..<bytes.count { #expect(AdminClient.Answer(Array(bytes[..<count])) == nil) }
    }

    @Test func `each failure has a message with the place and what to do`() {
        #expect(
            AdminClient.Failure.notRunning(path: "run/s").description
                == "run/s: no server is running; start it, or give its configuration with "
                + "--config")
        #expect(
            AdminClient.Failure.notPermitted(path: "run/s").description
                == "run/s: not permitted to connect; run this command as the server's "
                + "user")
        #expect(
            AdminClient.Failure.failed(path: "run/s", .noMemory).description
                == "run/s: cannot reach the server: Cannot allocate memory")
    }
}
