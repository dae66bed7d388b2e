import Auth
import HTTP
import Testing

private let fine = Answer(
    status: 200, fields: [], content: #"{"status":"ok"}"#, isAudited: false)

@Suite("The health of the process")
struct HealthTests {
    private func health(_ problems: (String, String?)...) -> Health {
        Health(checks: problems.map { name, problem in (name, { problem }) })
    }

    @Test("is to be alive, whatever else is wrong")
    func live() throws {
        #expect(try answer(to: get(), by: health().live) == fine)
        #expect(try answer(to: get(), by: health(("log", "full")).live) == fine)
    }

    @Test("is to be ready while no check has a problem")
    func ready() throws {
        #expect(try answer(to: get(), by: health().ready) == fine)
        #expect(try answer(to: get(), by: health(("log", nil), ("server", nil)).ready) == fine)
    }

    @Test("names each problem while there is one, and only those")
    func problems() throws {
        func content(_ health: Health) throws -> String {
            let answer = try answer(to: get(), by: health.ready)
            #expect(answer.status == 503)
            #expect(!answer.isAudited)
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
