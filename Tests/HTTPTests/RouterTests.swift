import HTTP
import POSIX
import Testing

private struct Answer: Equatable {
    var status = 0
    var allow: String?
    var content = ""
    var isSlow = false
}

/// The bytes of the response to a request with this line, and whether its work was offloaded.
private func sent(_ table: RouteTable, _ line: String) throws -> (text: String, isSlow: Bool) {
    let peer = Peer()
    peer.send("\(line) HTTP/1.1\r\nHost: h\r\n\r\n")
    let request = try #require(try peer.conversation.next())
    let reply: HandlerResult =
        switch table.route(for: request) {
        case .onWorker(let handler): .response(handler(request))
        case .inTwoSteps(let handler): handler(request)
        }
    switch reply {
    case .response(let response):
        peer.conversation.complete(response, date: someDate)
        return (peer.drain(), false)
    case .offloaded(let work):
        peer.conversation.complete(work.run(), date: someDate)
        return (peer.drain(), true)
    }
}

private func answer(_ table: RouteTable, _ line: String) throws -> Answer {
    let (sent, isSlow) = try sent(table, line)
    var answer = Answer()
    answer.isSlow = isSlow
    answer.status = sent.firstMatch(of: /HTTP\/1\.1 ([0-9]+)/).flatMap { Int($0.1) } ?? 0
    answer.allow = sent.firstMatch(of: /\r\nAllow: ([^\r\n]*)\r\n/).map { String($0.1) }
    answer.content = String(sent[(sent.firstRange(of: "\r\n\r\n")!.upperBound)...])
    return answer
}

private func answering(_ text: String) -> Handler { { _ in Response(.ok, json: wire(text)) } }

private func offloading(_ handler: @escaping Handler) -> TwoStepHandler {
    { request in .slow(.cpuBound) { handler(request) } }
}

/// Records the events that middleware observes.
private final class EventRecorder: Sendable {
    private let list = Monitor<[String]>([])

    func add(_ event: String) { list.withLock { $0.append(event) } }

    func takeAll() -> [String] {
        list.withLock { list in
            defer { list = [] }
            return list
        }
    }
}

private let table: RouteTable = {
    var router = Router()
    router.on(.get, "/resource", answering("resource"))
    router.on(.post, "/login", inTwoSteps: offloading(answering("login")))
    router.on(.get, "/both", answering("got"))
    router.on(.post, "/both", inTwoSteps: offloading(answering("posted")))
    router.on(.delete, "/both", answering("deleted"))
    return router.routes()
}()

struct RouterTests {
    @Test(arguments: [
        ("GET /resource", "resource"), ("POST /login", "login"), ("GET /both", "got"),
        ("POST /both", "posted"), ("DELETE /both", "deleted"), ("GET /both?a=b", "got"),
        ("GET /both?", "got"), ("GET http://other.example/both?a", "got"),
    ])
    func `a route is found by method and path`(line: String, content: String) throws {
        let found = try answer(table, line)
        #expect(found.status == 200)
        #expect(found.content == content)
    }

    @Test(arguments: [
        "/", "/resource/", "/Resource", "/RESOURCE", "//resource", "/resource//", "/./resource",
        "/a/../resource", "/%72esource", "/resourc%65", "/resource%20", "/resource%00",
        "/resource;a",
        "/resourc", "/resources", "/resource/a", "/a/resource", "/resource%3F", "/%2Fresource",
        "/*", "http://h", "http://h?/resource",
    ])
    func `a path in another spelling has no route`(path: String) throws {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "FOO"] {
            if method == "OPTIONS", path == "http://h" { continue }
            let missing = try answer(table, "\(method) \(path)")
            #expect(missing.status == 404)
            #expect(missing.allow == nil)
            #expect(missing.content == (method == "HEAD" ? "" : "{\"error\":\"Not found\"}"))
        }
    }

    // RFC 9110 §15.5.6: 405 comes with the allowed methods.
    @Test(arguments: [
        ("POST /resource", "GET, HEAD, OPTIONS"), ("PUT /resource", "GET, HEAD, OPTIONS"),
        ("DELETE /resource", "GET, HEAD, OPTIONS"), ("FOO /resource", "GET, HEAD, OPTIONS"),
        ("get /resource", "GET, HEAD, OPTIONS"), ("TRACE /resource", "GET, HEAD, OPTIONS"),
        ("GET /login", "OPTIONS, POST"), ("PATCH /login", "OPTIONS, POST"),
        ("PUT /both", "DELETE, GET, HEAD, OPTIONS, POST"),
    ])
    func `405 lists the methods of the path`(line: String, allow: String) throws {
        let refused = try answer(table, line)
        #expect(refused.status == 405)
        #expect(refused.allow == allow)
        #expect(refused.content == "{\"error\":\"Method not allowed\"}")
    }

    @Test func `HEAD is answered as GET without the content`() throws {
        #expect(try answer(table, "HEAD /resource") == Answer(status: 200))
        #expect(try answer(table, "HEAD /login") == Answer(status: 405, allow: "OPTIONS, POST"))
    }

    // RFC 9110 §9.3.7.
    @Test func `OPTIONS is answered with the allowed methods`() throws {
        let resource = Answer(status: 204, allow: "GET, HEAD, OPTIONS")
        let server = Answer(status: 204, allow: "DELETE, GET, HEAD, OPTIONS, POST")
        #expect(try answer(table, "OPTIONS /resource") == resource)
        #expect(try answer(table, "OPTIONS /both") == server)
        #expect(try answer(table, "OPTIONS *") == server)
        #expect(try answer(table, "OPTIONS http://h") == server)
    }

    @Test func `a verdict route answers every method`() throws {
        var router = Router()
        router.onEveryMethod("/verify") { _ in .error(.unauthorized) }
        router.on(.get, "/other", answering("other"))
        let table = router.routes()
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get",
        ] {
            #expect(try answer(table, "\(method) /verify").status == 401, "\(method)")
            #expect(try answer(table, "\(method) http://h/verify?a").status == 401, "\(method)")
        }
        #expect(try answer(table, "OPTIONS *").allow == "GET, HEAD, OPTIONS")
        #expect(try answer(table, "CONNECT h:443").status == 405)
        #expect(table.endpoints.filter { $0.path == "/verify" }.map(\.method) == [.get])
    }

    @Test func `the handler for cross-site requests replaces that of the path`() throws {
        var router = Router()
        router.on(.post, "/login", inTwoSteps: offloading(answering("login")))
        router.on(.get, "/resource", answering("resource"))
        router.on(.delete, "/resource", answering("deleted"))
        router.onEveryMethod("/verify", answering("verdict"))
        router.refuseCrossSite(CrossSitePolicy()) { _ in .error(.forbidden, "Cross-site request") }
        router.use { handler in { handler($0).adding("X-Seen", "yes") } }
        let table = router.routes()
        let site = " HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nX:"
        for line in [
            "POST /login", "DELETE /resource", "PUT /resource", "POST /nowhere", "FOO /login",
            "TRACE /resource", "CONNECT h:443", "POST http://h/login",
        ] {
            let sent = try sent(table, line + site).text
            #expect(sent.hasPrefix("HTTP/1.1 403 Forbidden\r\n"), "\(line)")
            #expect(sent.contains("\r\nX-Seen: yes\r\n"), "\(line)")
            #expect(sent.hasSuffix("{\"error\":\"Cross-site request\"}"), "\(line)")
            #expect(try answer(table, line).status != 403, "\(line)")
        }
        for line in ["GET /resource", "HEAD /resource", "OPTIONS /login", "GET /nowhere"] {
            #expect(try answer(table, line + site) == answer(table, line), "\(line)")
        }
        for method in ["GET", "POST", "FOO"] {
            #expect(try answer(table, "\(method) /verify" + site).status == 200)
        }
    }

    @Test func `coded content can be rejected on every route`() throws {
        var router = Router()
        router.on(.post, "/worker", answering("read"))
        router.on(.post, "/slow", inTwoSteps: offloading(answering("read")))
        router.refuseContentCodings()
        let table = router.routes()
        for path in ["/worker", "/slow"] {
            let coded = "POST \(path) HTTP/1.1\r\nContent-Encoding: gzip\r\nX:"
            let sent = try sent(table, coded).text
            #expect(sent.hasPrefix("HTTP/1.1 415 "))
            #expect(sent.contains("\r\nAccept-Encoding: identity\r\n"))
            #expect(try answer(table, "POST \(path)").content == "read")
        }
    }

    @Test func `CONNECT has no route`() throws {
        let refused = try answer(table, "CONNECT h:443")
        #expect(refused.status == 405)
        #expect(refused.allow == "DELETE, GET, HEAD, OPTIONS, POST")
    }

    @Test func `a route may offload work while its neighbors do not`() throws {
        #expect(try answer(table, "POST /login").isSlow)
        #expect(try answer(table, "POST /both").isSlow)
        for line in ["GET /both", "HEAD /both", "GET /login", "OPTIONS /login", "GET /a"] {
            #expect(try !answer(table, line).isSlow)
        }
    }

    @Test func `a router may have no routes`() throws {
        let table = Router().routes()
        #expect(try answer(table, "GET /").status == 404)
        #expect(try answer(table, "OPTIONS *") == Answer(status: 204, allow: "OPTIONS"))
    }

    @Test func `middleware wraps every response, the first one outermost`() throws {
        func adding(_ value: String) -> Middleware {
            { inner in { inner($0).adding("Allow", value) } }
        }
        var router = Router()
        router.on(.get, "/a", inTwoSteps: offloading { _ in Response(.ok).adding("X", "handler") })
        router.on(.get, "/quick", inTwoSteps: { _ in .response(Response(.ok)) })
        router.use(adding("outer"))
        router.use(adding("inner"))
        let table = router.routes()

        for line in [
            "GET /a", "GET /quick", "POST /a", "OPTIONS /a", "GET /b", "OPTIONS *", "CONNECT h:1",
        ] {
            let sent = try sent(table, line).text
            #expect(sent.contains("\r\nAllow: inner\r\nAllow: outer\r\n"))
        }
        #expect(try answer(table, "GET /a").isSlow)
        #expect(try !answer(table, "GET /quick").isSlow)
    }

    @Test func `two-step middleware observes both steps`() throws {
        let recorder = EventRecorder()
        var router = Router()
        router.on(.get, "/slow", inTwoSteps: offloading { _ in Response(.noContent) })
        router.on(.get, "/quick", inTwoSteps: { _ in .response(Response(.ok)) })
        router.on(.get, "/worker", { _ in Response(.ok) })
        router.use(
            { inner in
                { request in
                    recorder.add("one step")
                    return inner(request)
                }
            },
            inTwoSteps: { inner in
                { request in
                    recorder.add("came")
                    switch inner(request) {
                    case .response(let response):
                        recorder.add("\(response.status.code)")
                        return .response(response)
                    case .offloaded(let work):
                        recorder.add("waits")
                        return .offloaded(work.then { recorder.add("\($0.status.code)") })
                    }
                }
            })
        let table = router.routes()
        _ = try answer(table, "GET /quick")
        #expect(recorder.takeAll() == ["came", "200"])
        _ = try answer(table, "GET /slow")
        #expect(recorder.takeAll() == ["came", "waits", "204"])
        for line in ["GET /worker", "POST /slow", "GET /nowhere"] {
            _ = try answer(table, line)
            #expect(recorder.takeAll() == ["one step"])
        }
    }

    @Test
    func `the callback of offloaded work gets its response, whether it ran or was rejected`() {
        let recorder = EventRecorder()
        let work = OffloadedWork(
            .ioBound, priority: .first,
            {
                recorder.add("ran")
                return Response(.noContent)
            }, refused: { recorder.add("refused") }
        ).then { recorder.add("\($0.status.code)") }
        #expect(work.kind == .ioBound)
        #expect(work.priority == .first)
        #expect(work.run().status == .noContent)
        #expect(recorder.takeAll() == ["ran", "204"])
        work.rejected()
        #expect(recorder.takeAll() == ["refused", "503"])
    }

    @Test func `middleware can answer without the handler`() throws {
        var router = Router()
        router.on(.get, "/a", answering("a"))
        router.use { _ in { _ in .error(.serviceUnavailable) } }
        let table = router.routes()
        for line in ["GET /a", "POST /a", "GET /b"] {
            #expect(try answer(table, line).status == 503)
        }
    }

    @Test func `registering an invalid route traps`() async {
        await #expect(processExitsWith: .failure) {
            var router = Router()
            router.on(.get, "/a") { _ in Response(.ok) }
            router.on(.get, "/a") { _ in Response(.ok) }
        }
        await #expect(processExitsWith: .failure) {
            var router = Router()
            router.on(.head, "/a") { _ in Response(.ok) }
        }
        await #expect(processExitsWith: .failure) {
            var router = Router()
            router.on(.get, "a") { _ in Response(.ok) }
        }
    }
}
