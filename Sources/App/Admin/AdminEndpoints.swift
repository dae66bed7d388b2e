import Auth
import HTTP
import JSON
import JWT
import Logging
import Revocation
import Time

/// Endpoints of the administration socket besides those of `Auth`: the log's levels and head,
/// sessions, reload. They check no credentials: the mode of the socket file controls access.
struct AdminEndpoints: Sendable {
    let sessions: SessionList
    let revocations: Revocations
    let clock: WallClock
    let levels: LogLevels
    let changeLevel: @Sendable (Area?, Level) -> Void
    let head: @Sendable () -> SealHead?
    let reload: @Sendable () -> ReloadOutcome

    enum ReloadOutcome: Sendable {
        /// The names of the settings whose values have changed, and of those that take effect at
        /// the next start.
        case reloaded(changed: [String], pendingRestart: [String])
        case invalid([ConfigurationProblem])
        /// There is no configuration file.
        case nothingToRead
    }

    /// GET /sessions?user=1
    func listSessions(_ request: Request) -> Response {
        guard case .value(let text) = FormParameters.value(of: "user", in: request.query),
            let number = Int64(String(decoding: text, as: UTF8.self)),
            // Only one spelling of each number: no sign, no leading zeros.
            text.elementsEqual("\(number)".utf8), let user = UserID(number)
        else { return .error(.badRequest, "Invalid user") }
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("user")
        writer.integer(user.rawValue)
        writer.name("sessions")
        writer.beginArray()
        for session in sessions.sessions(of: user, at: clock.now()) where !isRevoked(session) {
            writer.beginObject()
            writer.name("session")
            writer.string(session.id.utf8)
            if let began = session.started {
                writer.name("began")
                writer.integer(began.seconds)
            }
            writer.name("ends")
            writer.integer(session.ends.seconds)
            writer.name("seen")
            writer.integer(session.seen.seconds)
            writer.name("ip")
            writer.string(session.client.utf8)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return Response(.ok, json: writer.bytes)
    }

    /// Whether a session was revoked, in any way: also by the replay of one of its tokens.
    private func isRevoked(_ session: SessionList.Session) -> Bool {
        revocations.finding(
            token: nil, session: session.id.utf8, user: session.user.rawValue,
            began: session.started)
            != nil
    }

    /// GET /log-level: the current level of each area, and the minimum level of each sink: null if
    /// the sink has none of its own, false if it is off.
    func showLevels(_ request: Request) -> Response {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("areas")
        writer.beginObject()
        for area in Area.allCases {
            writer.name(area.name)
            writer.string("\(levels.level(of: area).name)")
        }
        writer.endObject()
        let floors = levels.sinkLevels
        for (name, level) in [
            ("file", floors.file == .debug ? nil : floors.file), ("stderr", levels.standardError),
        ] as [(StaticString, Level?)] {
            writer.name(name)
            if let level { writer.string("\(level.name)") } else { writer.null() }
        }
        writer.name("audit")
        if let level = floors.audit {
            writer.string("\(level.name)")
        } else {
            writer.boolean(false)
        }
        writer.endObject()
        return Response(.ok, json: writer.bytes)
    }

    /// PUT /log-level `{"area":"http","level":"DEBUG"}`. Without an area it sets the level of all
    /// areas.
    func setLevel(_ request: Request) -> Response {
        guard case .object(let members)? = try? JSONValue(parsing: request.body) else {
            return .error(.badRequest, "Invalid JSON")
        }
        var level: Level?
        var area: Area?
        for member in members.withoutNulls {
            switch (member.name, member.value) {
            case ("level", .string(let name)): level = Level(name: name)
            case ("area", .string(let name)):
                guard let known = Area(name: name) else {
                    return .error(.badRequest, "Invalid area")
                }
                area = known
            default: return .error(.badRequest, "Invalid request")
            }
        }
        guard let level else { return .error(.badRequest, "Invalid level") }
        changeLevel(area, level)
        return Self.done
    }

    /// GET /log/head
    func logHead(_ request: Request) -> Response {
        guard let head = head() else { return .error(.notFound, "The log is not sealed") }
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("head")
        writer.string(head.text)
        writer.endObject()
        return Response(.ok, json: writer.bytes)
    }

    /// POST /reload
    func reload(_ request: Request) -> Response {
        var writer = JSONWriter()
        writer.beginObject()
        switch reload() {
        case .reloaded(let changed, let waiting):
            write("changed", changed, &writer)
            write("after_restart", waiting, &writer)
            writer.endObject()
            return Response(.ok, json: writer.bytes).heldUntilCommitted
        case .invalid(let problems):
            writer.name("error")
            writer.string("Invalid configuration")
            write("problems", problems.map(\.description), &writer)
            writer.endObject()
            return Response(.badRequest, json: writer.bytes).heldUntilCommitted
        case .nothingToRead: return .error(.badRequest, "There is no configuration file")
        }
    }

    private func write(_ name: StaticString, _ texts: [String], _ writer: inout JSONWriter) {
        writer.name(name)
        writer.beginArray()
        for text in texts { writer.string(text) }
        writer.endArray()
    }

    private static let done = Response(.ok, json: Array("{}".utf8)).heldUntilCommitted
}
