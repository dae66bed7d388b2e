import HTTP
import TestSupport

/// A cross-site request never changes state, and a loopback listener answers requests for its own
/// hosts only. The heads are the input itself, and random ones composed of parts that matter to
/// either policy.
enum WebPolicyProperties {
    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        try checkHead(bytes)
        var generator = SeededGenerator(seed: bytes.choice)
        for _ in 0..<3 { try checkHead(randomHead(&generator)) }
    }

    private static func checkHead(_ bytes: [UInt8]) throws(PropertyFailure) {
        // Bytes after the first head are another request, or a body.
        guard let head = Head(bytes) else { return }
        for isFromProxy in [false, true] {
            guard let request = request(bytes, isFromProxy: isFromProxy) else { continue }
            try checkCrossSite(request, head, bytes, isFromProxy: isFromProxy)
        }
        try checkHost(head, bytes)
    }

    // MARK: Properties

    private static func checkCrossSite(
        _ request: Request, _ head: Head, _ bytes: [UInt8], isFromProxy: Bool
    ) throws(PropertyFailure) {
        let changesState = !["GET", "HEAD", "OPTIONS"].contains(head.method)
        let isVerdict = request.form == .path && Array(copying: request.path) == Array("/v".utf8)
        let refused = changesState && !isVerdict && head.isCrossSite(isFromProxy: isFromProxy)
        let response = answer(to: request)
        try require(
            (response.status == .forbidden) == refused,
            "\(response.status) for \(refused ? "a" : "not a") cross-site request: \(bytes.shown)")
        if isVerdict {
            try require(response.status == .unauthorized, "not the verdict: \(bytes.shown)")
        }
    }

    private static func checkHost(_ head: Head, _ bytes: [UInt8]) throws(PropertyFailure) {
        let isAccepted = request(bytes, hosts: .loopback) != nil
        guard request(bytes) != nil else {
            try require(!isAccepted, "accepted only with fewer hosts: \(bytes.shown)")
            return
        }
        let host = head.authority.map { HostAndPort($0).host }
        let isLocal = host.map { ["127.0.0.1", "[::1]", "localhost"].contains($0) } ?? true
        try require(
            isAccepted == isLocal,
            "\(isAccepted ? "accepted" : "rejected") for its host: \(bytes.shown)")
    }

    // MARK: The server

    private static let peer = ClientAddress(Array("10.0.0.1".utf8).span)!
    private static let proxies = try? TrustedProxies(parsing: ["10.0.0.0/8"])
    private static let allowed = "https://app.example"

    /// The first request; nil if there is none.
    private static func request(
        _ bytes: [UInt8], hosts: AcceptedHosts = .any, isFromProxy: Bool = false
    ) -> Request? {
        var conversation = Conversation(
            limits: .init(), client: peer, seed: 7,
            proxies: isFromProxy ? proxies?.ifTrusted(peer) : nil, hosts: hosts)
        conversation.receive(bytes.span)
        return try? conversation.next()
    }

    private static let routes: RouteTable? = {
        guard let allowed = try? AllowedOrigins(parsing: [allowed]) else { return nil }
        var router = Router()
        router.on(.post, "/login") { _ in Response(.ok) }
        router.on(.put, "/login", inTwoSteps: { _ in .slow(.cpuBound) { Response(.ok) } })
        router.on(.get, "/a") { _ in Response(.ok) }
        router.onEveryMethod("/v") { _ in .error(.unauthorized) }
        router.refuseCrossSite(CrossSitePolicy(allowing: allowed)) { _ in .error(.forbidden) }
        return router.routes()
    }()

    private static func answer(to request: Request) -> Response {
        switch routes?.route(for: request) {
        case .onWorker(let handler): return handler(request)
        case .inTwoSteps(let handler):
            switch handler(request) {
            case .response(let response): return response
            case .offloaded(let work): return work.run()
            }
        case nil: return .error(.internalServerError)
        }
    }

    // MARK: Reference implementation

    /// A head as lines of text, with one character for each byte.
    private struct Head {
        let method: String
        private let target: String
        private let fields: [(name: String, value: String)]

        /// Nil if there is no empty line, or no line before it.
        init?(_ bytes: [UInt8]) {
            var text = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
            if text.hasPrefix("\r\n") { text.removeFirst() }
            guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
            let lines = text[..<end.lowerBound].split(separator: "\r\n").map(String.init)
            let words = lines.first?.split(separator: " ").map(String.init) ?? []
            guard words.count == 3 else { return nil }
            method = words[0]
            target = words[1]
            fields = lines.dropFirst().map { line in
                let parts = line.split(
                    separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                let value = parts.count > 1 ? String(parts[1]) : ""
                return (parts[0].lowercased(), value.trimming { $0 == " " || $0 == "\t" })
            }
        }

        private func values(_ name: String) -> [String] {
            fields.filter { $0.name == name }.map(\.value)
        }

        var authority: String? {
            if method == "CONNECT" { return target }
            for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
                return String(
                    target.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" })
            }
            return values("host").first
        }

        func isCrossSite(isFromProxy: Bool) -> Bool {
            let (origins, sites) = (values("origin"), values("sec-fetch-site"))
            if origins.count > 1 || sites.count > 1 { return true }
            if origins.first?.lowercased() == WebPolicyProperties.allowed { return false }
            if let site = sites.first { return site != "same-origin" && site != "none" }
            guard let origin = origins.first else { return false }
            let parts = origin.lowercased().split(
                separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let port = ["http": "80", "https": "443"][String(parts[0])],
                !parts[1].hasSuffix(":"), WebPolicyProperties.isHost(String(parts[1]))
            else { return true }
            let page = HostAndPort(String(parts[1]), port: port)
            var own = authority.map { [$0] } ?? []
            let forwarded = values("x-forwarded-host")
            if isFromProxy, forwarded.count == 1, WebPolicyProperties.isHost(forwarded[0]) {
                own += forwarded
            }
            return !own.contains { HostAndPort($0, port: port) == page }
        }
    }

    /// True for one host with a name and an optional port.
    private static func isHost(_ text: String) -> Bool {
        guard !text.isEmpty, !text.hasPrefix(":"), !text.contains(",") else { return false }
        let head = "GET / HTTP/1.1\r\nHost: \(text)\r\n\r\n"
        return request(head.unicodeScalars.map { UInt8($0.value) }) != nil
    }

    private struct HostAndPort: Equatable {
        let host: String
        let port: String

        init(_ text: String, port defaultPort: String = "") {
            let end = text.hasPrefix("[") ? text.firstIndex(of: "]") : nil
            let rest = text[(end ?? text.startIndex)...]
            let colon = rest.firstIndex(of: ":") ?? text.endIndex
            host = text[..<colon].lowercased()
            let digits = text[colon...].dropFirst().drop { $0 == "0" }
            port = text[colon...].count > 1 ? String(digits) : defaultPort
        }
    }

    // MARK: Random heads

    private static let methods = [
        "GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "FOO", "get", "Post",
    ]
    private static let targets = [
        "/login", "/a", "/v", "/v?a", "/nowhere", "*", "http://h/login", "https://h:443/v",
        "http://localhost/login", "http://evil.example", "http://127.0.0.1:80?a",
    ]
    private static let hosts = [
        "h", "H", "h:80", "h:443", "h:", "h:0080", "h:8080", "", "localhost", "localhost:1",
        "LOCALHOST", "127.0.0.1", "127.0.0.1:80", "127.0.0.2", "[::1]", "[::1]:443", "[::2]",
        "evil.example", "localhost.evil.example", "evil.localhost", "app.example",
    ]
    private static let schemes = [
        "http://", "https://", "HTTPS://", "ftp://", "//", "", "null", "x+y://",
    ]
    private static let sites = [
        "same-origin", "none", "same-site", "cross-site", "", "None", "same-origin, none",
    ]
    private static let names = [
        "Origin", "Sec-Fetch-Site", "X-Forwarded-Host", "origin", "SEC-FETCH-SITE", "Origins",
        "X-Origin", "Sec-Fetch-Mode", "Referer",
    ]

    private static func randomHead(_ generator: inout SeededGenerator) -> [UInt8] {
        func one(_ list: [String]) -> String { list.randomElement(using: &generator) ?? "" }
        var text = "\(one(methods)) \(one(targets)) HTTP/1.\(one(["0", "1", "1", "1"]))\r\n"
        if Int.random(in: 0..<8, using: &generator) > 0 { text += "Host: \(one(hosts))\r\n" }
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            let name = one(names)
            let value =
                switch name.lowercased() {
                case "sec-fetch-site", "sec-fetch-mode": one(sites)
                case "x-forwarded-host": one(hosts)
                default: one(schemes) + one(hosts)
                }
            text +=
                "\(name):\(one(["", " ", "\t"]))\(value)"
                + "\(one(["", "", "", " ", "/", ":", "."]))\r\n"
        }
        return Array("\(text)\r\n".utf8)
    }
}

extension String {
    fileprivate func trimming(_ isBlank: (Character) -> Bool) -> String {
        var text = self[...]
        while let first = text.first, isBlank(first) { text.removeFirst() }
        while let last = text.last, isBlank(last) { text.removeLast() }
        return String(text)
    }
}
