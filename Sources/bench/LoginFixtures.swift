import Auth
import Crypto
import HTTP
import JWT
import Logging
import Revocation
import Time

/// What a rejected login costs a worker, by request body. A rejection must cost a bounded number of
/// instructions for any body, so the worst bodies are measured beside the shortest.
struct LoginFixtures {
    private let login: Login
    private let log: Logger
    private let throttle = LoginThrottle()
    private let clock = WallClock.system

    /// A network that is locked, and one with a few failures.
    private static let locked = ClientAddress(Array("192.0.2.1".utf8).span)!
    private static let open = ClientAddress(Array("192.0.2.2".utf8).span)!

    /// Names with as many bytes as a name may have, each with the most expensive content of its
    /// kind.
    private static let names: [(what: String, name: String)] = [
        ("short name", "alice"),
        ("64 letters of four scalars each", String(repeating: "\u{1D160}", count: 64)),
        (
            "letter and 66 marks in the worst order",
            "a" + String(repeating: "\u{315}\u{300}\u{5AE}\u{316}\u{301}\u{317}", count: 11)
        ),
        ("Hangul syllables in letters", String(repeating: "\u{1100}\u{1161}\u{11A8}", count: 28)),
        ("name of 4,000 marks", String(repeating: "\u{315}\u{300}", count: 1000)),
    ]

    init(folder: String) {
        var options = LogOptions(path: "\(folder)/logins.log")
        options.standardErrorLevel = .critical
        options.maximumFiles = 0
        // The folder for temporary files is always writable.
        log = try! Logger(options)
        let secret = Array("a key for measuring, and for nothing else".utf8)
        let key = HMACSHA256.Key(secret.span)
        let tokens = HS256(
            keys: KeyRing([KeyRing.Entry(id: "k", secret: secret.span)!])!, policy: TokenPolicy())
        let users = UserDirectory([])
        login = Login(
            .password(
                PasswordLogin(
                    users, UserStore(users), PasswordVerifier(users, iterations: 1000),
                    throttle, fingerprintKey: key, upgrade: { _, _ in })),
            TokenIssuer(tokens, lifetime: .seconds(60), sessionLifetime: .seconds(60)),
            // Nothing is revoked, and there is no journal that could fail.
            revocations: try! Revocations(path: nil, at: clock.now()), sessions: SessionList(),
            log: SecurityLog(log), clock: clock)
    }

    var all: [Benchmark] {
        Self.names.flatMap { what, name in
            let bytes = Self.request(name)
            return [
                benchmark("POST /login refused for its network, \(what)", bytes, isNetwork: true),
                benchmark("POST /login refused for its account, \(what)", bytes, isNetwork: false),
            ]
        }
    }

    private static func request(_ name: String) -> [UInt8] {
        let body = #"{"username":"\#(name)","password":"x"}"#
        let head = "POST /login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        return Array("\(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
    }

    private func benchmark(
        _ name: String, _ bytes: [UInt8], isNetwork: Bool
    ) -> Benchmark {
        let client = isNetwork ? Self.locked : Self.open
        return Benchmark(name, allocations: 40) { count in
            // Locks the account, and the network if that is being measured.
            let attempts = isNetwork ? 60 : 6
            for number in 0..<attempts {
                fail(isNetwork ? Self.request("n\(number)") : bytes, client)
            }
            var conversation = Conversation(limits: .init(), client: client, seed: 1)
            for index in 0..<count {
                conversation.receive(bytes.span)
                guard let request = try? conversation.next(),
                    case .response(let response) = login.respond(to: request)
                else { return print("not refused: \(name)") }
                conversation.complete(response, date: clock.now().httpDate)
                conversation.releaseHeldResponses()
                conversation.markSent(conversation.unsentCount)
                if index % 64 == 63 { blackHole(log.commit() == .written) }
            }
            _ = log.commit()
        }
    }

    /// Sends a login whose password is hashed and fails, unless it is rejected.
    private func fail(_ bytes: [UInt8], _ client: ClientAddress) {
        var conversation = Conversation(limits: .init(), client: client, seed: 1)
        conversation.receive(bytes.span)
        guard let request = try? conversation.next(),
            case .offloaded(let work) = login.respond(to: request)
        else { return }
        blackHole(work.run().status)
    }
}
