import HTTP
import POSIX
import Server
import TestSupport
import Time

/// A server on a free port or a socket of its own, with a record of its hooks' calls.
final class TestServer: Sendable {
    /// The events in order: `handle /path`, `commit`, `refuse reason status id`.
    let events: Events
    let server: HTTPServer

    var port: UInt16 { server.address.port }

    /// - Parameters:
    ///   - commit: Returns the result of the hook; called after the event is recorded.
    ///   - routes: Adds routes to those of `commonRoutes`.
    init(
        _ options: ServerOptions = .forTests, commit: @escaping @Sendable () -> Bool = { true },
        synchronize: @escaping @Sendable (@escaping @Sendable (Bool) -> Void) -> Void = {
            $0(true)
        },
        routes: (inout Router) -> Void = { _ in }
    ) throws {
        let events = Events()
        self.events = events
        var router = Router()
        Self.commonRoutes(&router)
        routes(&router)
        router.use { handler in
            { request in
                events.add("handle \(text(request.path))")
                return handler(request)
            }
        }
        server = try HTTPServer(
            options, routes: router.routes(),
            hooks: ServerHooks(
                commit: { _ in
                    events.add("commit")
                    return commit()
                },
                synchronize: synchronize,
                refused: {
                    events.add("refuse \($0.reason) \($0.status.code) \($0.id.string)")
                },
                acceptFailed: { events.add("accept failed: \($0.description)") }))
        server.start()
    }

    /// A server whose commits can be paused.
    static func pausable(
        _ options: ServerOptions = .forTests
    ) throws -> (server: TestServer, pause: CommitPause) {
        let pause = CommitPause()
        let server = try TestServer(
            options,
            commit: {
                pause.pass()
                return true
            })
        return (server, pause)
    }

    deinit { server.stop() }

    /// Whether all workers have taken the update, within the test's timeout.
    @discardableResult
    func replace(routes: RouteTable, options: ServerOptions) -> Bool {
        server.replace(routes: routes, options: options, within: TestScale.timeout)
    }

    func client(receiveBuffer: CInt? = nil, from source: String? = nil) throws -> Client {
        if case .unix(let path) = server.address.host { return try Client(socket: path) }
        return try Client(port: port, receiveBuffer: receiveBuffer, from: source)
    }

    /// - `GET /hello` and `GET /other` return their names.
    /// - `GET /audited` does the same, and is held until its event is committed.
    /// - `GET /synced` and `GET /refused` return 200 and 401, held until their event is on disk.
    /// - `GET /large` returns 64 KiB.
    /// - `GET /client` returns the client's address.
    /// - `POST /echo` returns the request's content.
    static func commonRoutes(_ router: inout Router) {
        for name in ["hello", "other"] {
            let response = Response(.ok, json: Array(name.utf8))
            router.on(.get, "/\(name)") { _ in response }
        }
        let audited = Response(.ok, json: Array("audited".utf8)).heldUntilCommitted
        router.on(.get, "/audited") { _ in audited }
        let synced = Response(.ok, json: Array("synced".utf8)).synced
        router.on(.get, "/synced") { _ in synced }
        let refused = Response(.unauthorized, json: Array("refused".utf8)).synced
        router.on(.get, "/refused") { _ in refused }
        let large = Response(.ok, json: Array(String.large.utf8))
        router.on(.get, "/large") { _ in large }
        router.on(.get, "/client") { Response(.ok, json: Array($0.client.string.utf8)) }
        router.on(.post, "/echo") { Response(.ok, json: Array(text($0.body).utf8)) }
    }
}

/// A list that several threads append to.
final class Events: Sendable {
    private let list = Monitor<[String]>([])

    func add(_ event: String) { list.withLock { $0.append(event) } }

    var all: [String] { list.withLock { $0 } }

    func count(_ event: String) -> Int { all.count { $0 == event } }
}

extension ServerOptions {
    /// A port that the system chooses, and a short drain time for connections that a test leaves
    /// open.
    static var forTests: ServerOptions {
        var options = ServerOptions()
        options.address = .loopback(port: 0)
        options.drainTimeout = TimeAmount(milliseconds: 100)
        // Tests that open hundreds of connections before they send take long with a sanitizer.
        options.headTimeout = .seconds(60)
        return options
    }

    static func forTests(_ change: (inout ServerOptions) -> Void) -> ServerOptions {
        var options = forTests
        change(&options)
        return options
    }
}

extension String {
    /// The content of `GET /large`.
    static let large = String(repeating: "0123456789abcdef", count: 4096)

    static func get(_ path: String, _ id: String = "id", _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\nX-Request-Id: \(id)\r\n\(fields)\r\n"
    }

    static func post(_ path: String, _ content: String) -> String {
        "POST \(path) HTTP/1.1\r\nHost: h\r\n"
            + "Content-Length: \(content.utf8.count)\r\n\r\n\(content)"
    }
}

func text(_ bytes: Span<UInt8>) -> String {
    String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
}
