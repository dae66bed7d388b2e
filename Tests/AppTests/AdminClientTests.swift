import Glibc
import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

@testable import App

/// Listens on a Unix domain socket, and answers with given bytes whatever it is asked.
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

    /// Answers the next client and ends the connection.
    func answer(_ pieces: [[UInt8]]) -> Running {
        let listener = listener
        return Running {
            let client = accept(listener, nil, nil)
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            _ = recv(client, &buffer, buffer.count, 0)
            for piece in pieces { _ = send(client, piece, piece.count, CInt(MSG_NOSIGNAL)) }
            close(client)
        }
    }
}

@Suite("The client of the commands", .blocking)
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

    @Test("sends what it is given, and brings what the server answers")
    func answers() throws {
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

    @Test("brings the refusal of what is too much, though not all of it was taken")
    func tooMuch() throws {
        let server = try server { $0.limits = Conversation.Limits(body: 10) }
        let client = AdminClient(socket: path)
        let content = [UInt8](repeating: 0x62, count: 1_000_000)
        #expect(try client.send("POST", "/echo", json: content).status == 413)
        server.stop()
    }

    @Test("takes no more than a mebibyte")
    func limit() throws {
        let server = try server()
        #expect(throws: AdminClient.Failure.malformedResponse(path: path)) {
            try AdminClient(socket: path).send("GET", "/large")
        }
        server.stop()
    }

    @Test("tells that no server is running: no file, no folder, or a dead server's file")
    func notRunning() throws {
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

    @Test("tells that another user's server is not for us", .enabled(if: geteuid() != 0))
    func notPermitted() throws {
        let fake = try FakeServer(path)
        chmod(path, 0)
        #expect(throws: AdminClient.Failure.notPermitted(path: path)) {
            try AdminClient(socket: path).send("GET", "/hello")
        }
        withExtendedLifetime(fake) {}
    }

    @Test("tells that a path is too long")
    func pathTooLong() {
        let path = folder.path(String(repeating: "x", count: 100))
        #expect(throws: AdminClient.Failure.pathTooLong(path: path)) {
            try AdminClient(socket: path).send("GET", "/hello")
        }
    }

    @Test("does not wait forever for a server that never answers, nor for one that never takes")
    func silence() throws {
        let fake = try FakeServer(path)
        let client = AdminClient(socket: path, timeout: TimeAmount(milliseconds: 50))
        #expect(throws: AdminClient.Failure.timedOut(path: path)) {
            try client.send("GET", "/hello")
        }
        #expect(throws: AdminClient.Failure.timedOut(path: path)) {
            try client.send("POST", "/x", json: [UInt8](repeating: 0x61, count: 10_000_000))
        }
        // Then the queue is full, and connecting takes forever.
        for _ in 0..<20 {
            #expect(throws: AdminClient.Failure.timedOut(path: path)) {
                try AdminClient(socket: path, timeout: TimeAmount(milliseconds: 5)).send(
                    "GET", "/hello")
            }
        }
        withExtendedLifetime(fake) {}
    }

    @Test("understands an answer however it is cut")
    func pieces() throws {
        let fake = try FakeServer(path)
        let bytes = Array("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nhi".utf8)
        let running = fake.answer(bytes.map { [$0] })
        #expect(
            try AdminClient(socket: path).send("GET", "/")
                == AdminClient.Answer(status: 201, body: Array("hi".utf8)))
        running.join()
    }

    @Test("takes no end of bytes from what is no server")
    func endless() throws {
        let fake = try FakeServer(path)
        let running = fake.answer(
            [[UInt8]](repeating: [UInt8](repeating: 0x61, count: 1 << 16), count: 100))
        #expect(throws: AdminClient.Failure.malformedResponse(path: path)) {
            try AdminClient(socket: path).send("GET", "/")
        }
        running.join()
    }

    @Test(
        "calls nonsense what its server would not answer",
        arguments: [
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
    func nonsense(text: String) {
        #expect(AdminClient.Answer(Array(text.utf8)) == nil)
    }

    @Test("understands a field name without regard to case, and an empty answer")
    func understood() {
        let text = "HTTP/1.1 503 Service Unavailable\r\nX: y\r\ncOnTent-lengTh:2\r\n\r\n\r\n"
        #expect(
            AdminClient.Answer(Array(text.utf8))
                == AdminClient.Answer(status: 503, body: Array("\r\n".utf8)))
        #expect(
            AdminClient.Answer(Array("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n".utf8))
                == AdminClient.Answer(status: 200, body: []))
    }

    @Test("traps on no answer, however it is damaged")
    func damaged() {
        let bytes = Array("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nhi".utf8)
        var dice = SeededGenerator(seed: 7)
        for _ in 0..<TestScale.rounds(2000, long: 200_000) {
            var damaged = bytes
            for _ in 0...Int.random(in: 0..<3, using: &dice) {
                let index = Int.random(in: 0..<damaged.count, using: &dice)
                switch Int.random(in: 0..<3, using: &dice) {
                case 0: damaged[index] = UInt8(Int.random(in: 0..<256, using: &dice))
                case 1: damaged.remove(at: index)
                default: damaged.insert(UInt8(Int.random(in: 0..<256, using: &dice)), at: index)
                }
            }
            if let answer = AdminClient.Answer(damaged) {
                #expect(answer.body.count < damaged.count)
            }
        }
        for count in 0..<bytes.count { #expect(AdminClient.Answer(Array(bytes[..<count])) == nil) }
    }

    @Test("has a sentence for each failure that says where, and what to do")
    func sentences() {
        #expect(
            AdminClient.Failure.notRunning(path: "run/s").description
                == "no server is running at run/s; start it, or name its configuration with "
                + "--config")
        #expect(
            AdminClient.Failure.notPermitted(path: "run/s").description
                == "not permitted to connect to run/s; run this as the user that the server runs "
                + "as")
        #expect(
            AdminClient.Failure.failed(path: "run/s", .noMemory).description
                == "cannot ask the server at run/s: Cannot allocate memory")
    }
}
