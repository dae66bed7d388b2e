import Auth
import HTTP
import Testing

private let ok = Answer(
    status: 200, fields: [], content: #"{"status":"ok"}"#, isHeldForCommit: false)

struct HealthTests {
    private func health(_ problems: (String, String?)...) -> Health {
        Health(checks: problems.map { name, problem in (name, { problem }) })
    }

    @Test func `liveness is always ok`() throws {
        #expect(try answer(to: get(), by: health().live) == ok)
        #expect(try answer(to: get(), by: health(("log", "full")).live) == ok)
    }

    @Test func `readiness is ok while no check has a problem`() throws {
        #expect(try answer(to: get(), by: health().ready) == ok)
        #expect(try answer(to: get(), by: health(("log", nil), ("server", nil)).ready) == ok)
    }

    @Test func `readiness reports every current problem, and only those`() throws {
        func content(_ health: Health) throws -> String {
            let answer = try answer(to: get(), by: health.ready)
            #expect(answer.status == 503)
            #expect(!answer.isHeldForCommit)
            return answer.content
        }
        #expect(
            try content(health(("log", "the log cannot be written"), ("server", nil)))
                == #"{"status":"unavailable","checks":{"log":"the log cannot be written"}}"#)
        #expect(
            try content(health(("log", "a"), ("b", nil), ("server", "stopping")))
                == #"{"status":"unavailable","checks":{"log":"a","server":"stopping"}}"#)
        #expect(
            try content(health(("\"", "\\")))
                == #"{"status":"unavailable","checks":{"\"":"\\"}}"#)
    }
}
