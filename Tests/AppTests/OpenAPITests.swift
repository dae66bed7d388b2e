import Auth
import HTTP
import JSON
import Logging
import TestSupport
import Testing
import Time

@testable import App

@Suite(.blocking)
struct OpenAPITests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func configuration(_ mode: Configuration.Login.Mode) throws -> Configuration {
        var configuration = try Configuration.load(file: nil, environment: [:])
        configuration.login.mode = mode
        return configuration
    }

    private func document(_ mode: Configuration.Login.Mode = .demo) throws -> APIDocument {
        try APIDocument(OpenAPI(configuration(mode)).content)
    }

    private static let protocolStatuses = ["408", "413", "414", "417", "421", "431", "501", "505"]

    /// The statuses of each endpoint, besides those of the protocol.
    private static let statuses: [String: [String]] = [
        "POST /login": ["200", "400", "403", "411", "415", "503"],
        "GET /resource": ["200", "400", "401", "404", "503"],
        "POST /refresh": ["200", "400", "401", "403", "404", "429", "503"],
        "POST /logout": ["204", "400", "401", "403", "404", "503"],
        "POST /logout/all": ["204", "400", "401", "403", "404", "503"],
        "GET /verify": ["204", "400", "401", "404", "503"],
        "GET /health/live": ["200", "400", "503"],
        "GET /health/ready": ["200", "400", "503"],
        "GET /openapi.json": ["200", "400", "503"],
    ]

    @Test func `the document names its OpenAPI version and that of Gatehouse`() throws {
        let document = try document()
        #expect(document.root["openapi"]?.text == "3.1.0")
        #expect(document.root["info", "title"]?.text == "Gatehouse")
        #expect(document.root["info", "version"]?.text == Application.version)
    }

    @Test(arguments: Configuration.Login.Mode.allCases)
    func `the document lists exactly the endpoints of the router`(mode: Configuration.Login.Mode)
        throws
    {
        var options = LogOptions(path: folder.path("app.log"))
        options.standardErrorLevel = .critical
        let configuration = try configuration(mode)
        let log = try Logger(options, clock: .system)
        let service = Routes(configuration, .demo, try SharedState(configuration, log, .system))
        let routed = service.routes.endpoints.map { "\($0.method.name) \($0.path)" }.sorted()
        #expect(try document(mode).operations == routed)
        _ = log.stop()
    }

    @Test(arguments: statuses.keys.sorted())
    func `the document lists every status of each endpoint in demo mode`(operation: String) throws {
        let expected = try #require(Self.statuses[operation]) + Self.protocolStatuses
        #expect(try document().statuses(operation) == expected.sorted())
    }

    @Test func `a refresh has one more 401 than other endpoints`() throws {
        let document = try document()
        let others = document.sentences("GET /resource", "401")
        #expect(
            others == ["Unauthorized", "Invalid token", "Token expired", "Token revoked"])
        #expect(document.sentences("POST /refresh", "401") == others + ["Session expired"])
    }

    @Test func `password mode adds its responses to the login, and changes nothing else`() throws {
        let (demo, password) = (try document(.demo), try document(.password))
        for operation in demo.operations where operation != "POST /login" {
            #expect(demo.statuses(operation) == password.statuses(operation))
        }
        #expect(
            Set(password.statuses("POST /login")).subtracting(demo.statuses("POST /login"))
                == ["401", "429"])
        #expect(password.sentences("POST /login", "401") == ["Invalid credentials"])
        #expect(password.sentences("POST /login", "429") == ["Too many attempts"])
        let schema = ["components", "schemas", "Credentials"]
        func required(_ document: APIDocument) -> [String]? {
            document.root[schema[0], schema[1], schema[2], "required"]?.texts
        }
        #expect(required(demo) == ["user_id"])
        #expect(required(password) == ["password"])
    }

    @Test(arguments: ParseError.allCases)
    func `every parse error is documented for every operation`(error: ParseError) throws {
        let document = try document()
        let body = error.response.content
        let sentence = try #require(try APIDocument(body).root["error"]?.text)
        for operation in document.operations {
            let sentences = document.sentences(operation, "\(error.status.code)")
            #expect(sentences.contains(sentence), "\(operation) \(error)")
        }
    }

    @Test(arguments: Configuration.Login.Mode.allCases)
    func `every reference resolves, and every component is referenced`(
        mode: Configuration.Login.Mode
    ) throws {
        let document = try document(mode)
        let components = try #require(document.root["components"])
        let defined = components.names.filter { $0 != "securitySchemes" }.flatMap { kind in
            components[kind]?.names.map { "#/components/\(kind)/\($0)" } ?? []
        }
        #expect(defined.count == Set(defined).count)
        #expect(Set(document.references) == Set(defined))
    }

    @Test func `the document lists the headers of each status`() throws {
        let document = try document(.password)
        for operation in document.operations {
            for (status, response) in document.responses(operation) {
                let names = Set(response["headers"]?.names ?? [])
                #expect(
                    names.isSuperset(
                        of: ["X-Request-Id", "X-Content-Type-Options", "Cache-Control"]))
                let place = Comment(rawValue: "\(operation) \(status)")
                #expect(names.contains("WWW-Authenticate") || status != "401", place)
                #expect(names.contains("Retry-After") == ["429", "503"].contains(status), place)
                let hasContent = response["content"] != nil
                #expect(hasContent == (status != "204"), place)
            }
        }
        let verified = document.responses("GET /verify")["204"]?["headers"]?.names ?? []
        #expect(
            verified.filter { $0.hasPrefix("X-Auth-") } == [
                "X-Auth-User-Id", "X-Auth-User-Name", "X-Auth-Session", "X-Auth-Expires",
            ])
    }

    @Test func `every response of a server to unusual requests is documented`() throws {
        let server = try ServerProcess(
            in: folder, ["SERVER_MAX_BODY": "1KiB", "SERVER_MAX_HEADER": "1KiB"])
        let served = try server.ask("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(served.status == 200)
        #expect(served["Content-Type"] == "application/json")
        let document = try APIDocument(Array(served.content.utf8))
        #expect(document.operations == Self.statuses.keys.sorted())
        for (status, sentence, request) in Self.oddRequests {
            let words = request.split(separator: " ").prefix(2).joined(separator: " ")
            let operation = String(words.prefix { $0 != "?" }).replacing("https://h", with: "")
            let answer = try server.ask(request)
            let place = Comment(rawValue: request.prefix(80).debugDescription)
            #expect(answer.status == status, place)
            #expect(answer.content == #"{"error":"\#(sentence)"}"#, place)
            #expect(document.sentences(operation, "\(status)").contains(sentence), place)
        }
        try server.stop()
    }

    private static let oddRequests: [(status: Int, sentence: String, request: String)] = [
        (400, "Bad request", "GET /health/live HTTP/1.1\r\n\r\n"),
        (400, "Bad request", "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nNo colon\r\n\r\n"),
        (
            400, "Invalid request",
            "GET /verify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ä\r\n\r\n"
        ),
        (401, "Unauthorized", "POST /refresh HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (
            401, "Invalid token",
            "POST /logout HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\n\r\n"
        ),
        (
            403, "Cross-site request",
            "POST /logout HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n"
        ),
        (411, "Length required", "POST /login HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (
            413, "Content too large",
            "GET /resource HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1025\r\n\r\n"
        ),
        (
            414, "URI too long",
            "GET /health/ready?\(String(repeating: "a", count: 1024)) HTTP/1.1\r\n"
                + "Host: localhost\r\n\r\n"
        ),
        (
            415, "Unsupported media type",
            "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n\r\n"
        ),
        (
            415, "Unsupported media type",
            "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                + "Content-Length: 0\r\n\r\n"
        ),
        (
            417, "Expectation failed",
            "POST /logout/all HTTP/1.1\r\nHost: localhost\r\nExpect: miracles\r\n\r\n"
        ),
        (421, "Misdirected request", "GET https://h/resource HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (421, "Misdirected request", "GET /health/live HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        (
            431, "Request header fields too large",
            "GET /verify HTTP/1.1\r\nHost: localhost\r\n"
                + "A: \(String(repeating: "a", count: 1024))\r\n\r\n"
        ),
        (
            501, "Not implemented",
            "POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
        ),
        (505, "HTTP version not supported", "GET /resource HTTP/2.0\r\nHost: localhost\r\n\r\n"),
    ]
}
