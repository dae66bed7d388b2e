import Crypto
import HTTP
import JSON
import JWT
import Logging
import Time

/// The locks of the login throttle on the admin socket: GET /locks lists them, POST /unlock ends
/// them.
package struct AdminLocks: Sendable {
    private let throttle: LoginThrottle
    private let users: UserDirectory
    private let fingerprintKey: HMACSHA256.Key
    private let log: SecurityLog
    private let clock: WallClock

    package init(
        _ throttle: LoginThrottle, users: UserDirectory, fingerprintKey: HMACSHA256.Key,
        log: SecurityLog, clock: WallClock
    ) {
        self.throttle = throttle
        self.users = users
        self.fingerprintKey = fingerprintKey
        self.log = log
        self.clock = clock
    }

    // MARK: GET /locks

    /// Responds with `{"locks":[{"kind":"name","user":1,"username":"alice","until":1795245300}]}`.
    ///
    /// | kind | the lock of | members besides `until` |
    /// | --- | --- | --- |
    /// | `name`, `id` | one identifier of a user | `user`, `username` |
    /// | `account` | both identifiers of a user together | `user`, `username` |
    /// | `address` | a network | `address` |
    /// | `unknown` | an identifier that no user has | `fingerprint`, as in the log |
    package func list(_ request: Request) -> Response {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("locks")
        writer.beginArray()
        for lock in throttle.locks(of: users, at: clock.now()) {
            writer.beginObject()
            write(lock.subject, &writer)
            writer.name("until")
            writer.integer(lock.until.seconds)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return Response(.ok, json: writer.bytes)
    }

    private func write(_ subject: LoginThrottle.Lock.Subject, _ writer: inout JSONWriter) {
        func write(_ kind: StaticString, _ user: User) {
            writer.name("kind")
            writer.string("\(kind)")
            writer.name("user")
            writer.integer(user.id.rawValue)
            writer.name("username")
            writer.string(user.username)
        }
        switch subject {
        case .id(let user): write("id", user)
        case .name(let user): write("name", user)
        case .account(let user): write("account", user)
        case .unknown(let fingerprint):
            writer.name("kind")
            writer.string("unknown")
            writer.name("fingerprint")
            writer.string(fingerprint.text)
        case .network(let number):
            writer.name("kind")
            writer.string("address")
            writer.name("address")
            writer.string(ClientNetworks.text(of: number))
        }
    }

    // MARK: POST /unlock

    /// Takes an object with one of `user`, `username`, `address` and `all`. The response,
    /// `{"locks":2}`, is the number of locks that ended; failure counts are reset in any case.
    package func unlock(_ request: Request) -> HandlerResult {
        guard case .object(let all)? = try? JSONValue(parsing: request.body) else {
            return .response(.error(.badRequest, "Invalid JSON"))
        }
        let members = all.withoutNulls
        guard members.count == 1, let member = members.first else {
            return .response(.error(.badRequest, "Invalid request"))
        }
        // Parse the body here, because it is overwritten when the connection closes. The
        // identifiers of all users are hashed on the queue.
        return .slow(.ioBound) { unlock(member, request) }
    }

    private func unlock(_ member: JSONValue.Member, _ request: Request) -> Response {
        let now = clock.now()
        let ended: (subject: LoginUnlocked.Subject, locks: Int)
        switch (member.name, member.value) {
        case ("user", .number(.integer(let number))):
            guard let id = UserID(number) else { return .error(.badRequest, "Invalid user") }
            let digits = Array("\(number)".utf8)
            ended =
                users[id].map { unlock($0, at: now) }
                ?? (
                    .unknown(Fingerprint(of: digits.span, key: fingerprintKey)),
                    throttle.unlock(id, at: now)
                )
        case ("username", .string(let text)):
            let name = PresentedName(text)
            ended =
                users.user(named: name).map { unlock($0, at: now) }
                ?? (
                    .unknown(Fingerprint(of: name.canonical.span, key: fingerprintKey)),
                    throttle.unlock(name, at: now)
                )
        case ("address", .string(let text)):
            guard let numbers = ClientNetworks.numbers(named: text) else {
                return .error(.badRequest, "Invalid address")
            }
            ended = (.address(text), throttle.unlock(networks: numbers, at: now))
        case ("all", .boolean(true)): ended = (.all, throttle.unlockAll(of: users, at: now))
        default: return .error(.badRequest, "Invalid request")
        }
        log.record(
            LoginUnlocked(
                subject: ended.subject, by: "admin", locks: ended.locks, origin: Origin(request)))
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("locks")
        writer.integer(Int64(ended.locks))
        writer.endObject()
        return Response(.ok, json: writer.bytes).heldUntilCommitted
    }

    private func unlock(_ user: User, at now: Timestamp) -> (LoginUnlocked.Subject, Int) {
        (.user(user.id), throttle.unlock(user, at: now))
    }
}

extension LoginThrottle {
    /// Resets the counts of users whose password has changed: the failures were attempts with the
    /// old one. Logs an event for each user who was locked.
    package func resetAfterPasswordChanges(
        _ users: UserDirectory, replacing old: UserDirectory, at now: Timestamp,
        _ log: SecurityLog
    ) {
        for user in users.all {
            guard let before = old[user.id], before.password != user.password else { continue }
            let locks = unlock(user, at: now)
            guard locks > 0 else { continue }
            log.record(
                LoginUnlocked(
                    subject: .user(user.id), by: "set-password", locks: locks, origin: nil))
        }
    }
}

extension [JSONValue.Member] {
    /// The members without those that are null. In a request body null counts as absent: many
    /// serializers write it for unset properties.
    package var withoutNulls: [JSONValue.Member] { filter { $0.value != .null } }
}
