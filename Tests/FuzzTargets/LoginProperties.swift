import Auth
import Crypto
import Foundation
import HTTP
import JWT
import Logging
import POSIX
import Revocation
import TestSupport
import Time

/// The bytes are a sequence of failed logins. It is run in several worlds, in which different users
/// exist: none; `alice` with id 1 or with another id; `alice` disabled, without a password, or with
/// other iterations; and other users besides her. All responses and all work must be the same in
/// every world.
///
/// A step has two bytes: the operation, and the client's address.
enum LoginProperties {
    private static let worlds: [[User]] = [
        [],
        [user(1, "alice")],
        [user(2, "alice")],
        [user(1, "alice", isDisabled: true)],
        [user(1, "eve"), user(2, "alice"), user(3, "zo\u{EB}")],
        [User(id: UserID(1)!, username: "alice", name: "Alice")],
        [user(1, "alice", iterations: 2000), user(2, "zo\u{EB}", iterations: 1500)],
    ]

    private static func user(
        _ id: Int64, _ username: String, password: String = "not what is guessed",
        isDisabled: Bool = false, iterations: Int = 1000
    ) -> User {
        User(
            id: UserID(id)!, username: username, name: username,
            password: PasswordHash(of: Password(password)!, iterations: iterations),
            isDisabled: isDisabled)
    }

    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        var reference: World?
        for (number, users) in worlds.enumerated() {
            let world = try World(users, "\(folder)/world-\(number)")
            defer { world.close() }
            try world.play(bytes.prefix(256))
            guard let first = reference else {
                reference = world
                continue
            }
            for (step, pair) in zip(first.observations, world.observations).enumerated() {
                try require(
                    pair.0 == pair.1,
                    "step \(step) of world \(number): \(pair.1), and without users \(pair.0)")
            }
            try require(first.observations.count == world.observations.count, "another step count")
        }
    }

    // MARK: A world

    /// What a client can observe of a step, including its duration.
    private struct Observation: Equatable, CustomStringConvertible {
        /// The response as sent; empty while the work waits.
        var response: [UInt8] = []
        var priority: OffloadedWork.Priority?
        var iterations = 0
        var tableOperations: UInt64 = 0

        var description: String {
            let line = String(decoding: response.prefix { $0 != 0x0D }, as: UTF8.self)
            return "\(line), \(priority.map { "\($0)" } ?? "at once"), \(iterations) iterations, "
                + "\(tableOperations) table operations"
        }
    }

    private final class World {
        private(set) var observations: [Observation] = []
        private let log: Logger
        private let login: Login
        private let locks: AdminLocks
        private let throttle: LoginThrottle
        private let iterations = Monitor(0)
        private let time = Monitor(Timestamp(seconds: 1_800_000_000))
        private var waiting: [(work: OffloadedWork, conversation: Answering)] = []
        private var floodCount = 0

        init(_ users: [User], _ path: String) throws {
            // The most expensive hash is the same in every world.
            let costly = LoginProperties.user(98, "costly", iterations: 2000)
            let directory = UserDirectory(users + [costly])
            var options = LogOptions(path: "\(path).log")
            options.standardErrorLevel = .critical
            let time = time
            let clock = WallClock { time.withLock { $0 } }
            log = try Logger(
                options, clock: clock,
                fileSystem: FileSystemDouble { operation, _ in
                    operation == .synchronize ? .skipped : .done
                })
            let secret = Array("a key for rules, and for nothing else".utf8)
            let key = HMACSHA256.Key(secret.span)
            let tokens = HS256(
                keys: KeyRing([KeyRing.Entry(id: "k", secret: secret.span)!])!,
                policy: TokenPolicy())
            let iterations = iterations
            let authenticator = PasswordVerifier(
                directory, iterations: 2000,
                derivingBy: { password, salt, count in
                    iterations.withLock { $0 += count }
                    // Never equal to the hash of a password.
                    return SHA256.digest(of: salt)
                })
            // A small table, so that it fills up. Its keys are the same in every world.
            throttle = LoginThrottle(LoginThrottle.Options(), places: 16, secret: secret)
            let security = SecurityLog(log)
            login = Login(
                .password(
                    PasswordLogin(
                        directory, UserStore(directory), authenticator, throttle,
                        fingerprintKey: key, upgrade: { _, _ in })),
                TokenIssuer(tokens, lifetime: .seconds(60), sessionLifetime: .seconds(60)),
                revocations: try Revocations(path: nil, at: clock.now()),
                sessions: SessionList(), log: security, clock: clock)
            locks = AdminLocks(
                throttle, users: directory, fingerprintKey: key, log: security, clock: clock)
        }

        func close() { _ = log.stop() }

        func play(_ bytes: some Sequence<UInt8>) throws {
            var iterator = bytes.makeIterator()
            while let what = iterator.next(), let place = iterator.next() {
                try step(what, place)
            }
            while !waiting.isEmpty { try finish() }
        }

        private func step(_ what: UInt8, _ place: UInt8) throws {
            let identity = LoginProperties.identities[Int(what & 15)]
            switch what >> 4 {
            case 0...7: try attempt(identity, place) { work in work.run() }
            case 8:
                try attempt(identity, place) { work in
                    work.rejected()
                    return OffloadedWork.busy
                }
            case 9: try attempt(identity, place) { _ in nil }
            case 10: try finish()
            case 11: time.withLock { $0 = $0 + .seconds(Int64(place) * Int64(what & 15)) }
            case 12:
                for _ in 0..<(what & 15) {
                    floodCount += 1
                    try attempt(#""username":"flood-\#(floodCount)""#, place) { $0.run() }
                }
            case 13:
                let address = LoginProperties.address(place)
                if address != "local" { try unlock(#"{"address":"\#(address)"}"#) }
            case 14: try unlock(#"{"all":true}"#)
            default:
                // Both identifiers of every user, so that no world keeps a lock.
                for subject in LoginProperties.unlocked { try unlock(subject) }
            }
        }

        /// - Parameter answer: returns nil if the work remains queued.
        private func attempt(
            _ identity: String, _ place: UInt8, _ answer: (OffloadedWork) -> Response?
        ) throws {
            let body = #"{\#(identity),"password":"a wrong guess"}"#
            let conversation = try Answering(
                "POST /login", body, from: LoginProperties.address(place))
            let before = (iterations.withLock { $0 }, operations)
            var observation = Observation()
            switch login.respond(to: conversation.request) {
            case .response(let response): observation.response = try conversation.sent(response)
            case .offloaded(let work):
                observation.priority = work.priority
                if let response = answer(work) {
                    observation.response = try conversation.sent(response)
                } else {
                    waiting.append((work, conversation))
                }
            }
            note(&observation, since: before)
        }

        private func finish() throws {
            guard !waiting.isEmpty else { return }
            let (work, conversation) = waiting.removeFirst()
            let before = (iterations.withLock { $0 }, operations)
            var observation = Observation()
            observation.response = try conversation.sent(work.run())
            note(&observation, since: before)
        }

        private var operations: UInt64 {
            throttle.statistics(at: time.withLock { $0 }).tableOperations
        }

        private func note(_ observation: inout Observation, since before: (Int, UInt64)) {
            observation.iterations = iterations.withLock { $0 } - before.0
            observation.tableOperations = operations - before.1
            observations.append(observation)
        }

        private func unlock(_ body: String) throws {
            let conversation = try Answering("POST /unlock", body, from: "local")
            let response =
                switch locks.unlock(conversation.request) {
                case .response(let response): response
                case .offloaded(let work): work.run()
                }
            try require(response.status == .ok, "\(body) is rejected")
            _ = try conversation.sent(response)
        }
    }

    private static let identities: [String] = [
        #""username":"alice""#, #""user_id":1"#, #""user_id":2"#, #""username":"eve""#,
        #""username":"zo\u00eb""#, #""username":"zoe\u0308""#,
        #""user_id":1,"username":"alice""#, #""user_id":2,"username":"alice""#,
        #""user_id":1,"username":"eve""#, #""user_id":3,"username":"zo\u00eb""#,
        #""username":"\#(String(repeating: "a", count: 300))""#,
        #""username":"\#(String(repeating: "\u{315}\u{300}", count: 64))""#,
        #""username":"alice ""#, #""username":"Alice""#, #""user_id":3"#,
        #""user_id":null,"username":"alice""#,
    ]

    private static let unlocked =
        ["alice", "eve", "zo\u{EB}"].map { #"{"username":"\#($0)"}"# }
        + (1...3).map { #"{"user":\#($0)}"# }

    /// A few networks of each size, and a client without an address.
    private static func address(_ place: UInt8) -> String {
        switch place >> 6 {
        case 0: "192.0.2.\(place & 63)"
        case 1: "2001:db8:0:\(place & 7)::\(place >> 3 & 7)"
        case 2: "2001:db8:0:\(String(Int(place & 63) << 8, radix: 16))::1"
        default: place & 63 == 0 ? "local" : "2001:db8:\(place & 3)::\(place >> 2 & 15)"
        }
    }
}

/// One parsed request, and the serialization of its response.
private final class Answering {
    let request: Request
    private var conversation: Conversation

    init(_ start: String, _ body: String, from text: String) throws {
        let client = ClientAddress(Array(text.utf8).span)!
        let head =
            "\(start) HTTP/1.1\r\nHost: h\r\nX-Request-Id: r-1\r\n"
            + "Content-Type: application/json\r\n"
        let bytes = Array("\(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
        var conversation = Conversation(limits: .init(), client: client, seed: 7)
        conversation.receive(bytes.span)
        guard let request = try conversation.next() else { throw PropertyFailure("no request") }
        self.request = request
        self.conversation = conversation
    }

    func sent(_ response: Response) throws -> [UInt8] {
        conversation.complete(response, date: Timestamp(seconds: 1_800_000_000).httpDate)
        var sent: [UInt8] = []
        for index in conversation.unsent.indices { sent.append(conversation.unsent[index]) }
        return sent
    }
}
