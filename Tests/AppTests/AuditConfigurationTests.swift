import App
import Foundation
import Logging
import TestSupport
import Testing
import Time

struct AuditConfigurationTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func load(
        _ log: String, _ environment: [String: String] = [:]
    ) throws -> Configuration {
        let path = folder.path("config.json")
        let text = #"{"login":{"mode":"demo"},"log":\#(log)}"#
        try Data(text.utf8).write(to: URL(filePath: path))
        return try Configuration.load(file: path, environment: environment)
    }

    private func problems(
        _ log: String, _ environment: [String: String] = [:]
    ) -> [String] {
        do {
            _ = try load(log, environment)
            return []
        } catch let error as Configuration.Invalid {
            return error.problems.map { "\($0)" }
        } catch {
            return ["\(error)"]
        }
    }

    private func warnings(_ log: String) throws -> [String] {
        try load(log).warnings.map { "\($0)" }.filter { $0.contains("has no effect") }
    }

    @Test func `the audit log is on by default and retained for a year`() throws {
        let audit = try #require(try load("{}").log.audit)
        #expect(audit.path == folder.path("logs/audit.log"))
        #expect(audit.level == nil)
        #expect(audit.maximumSize == 10 << 20)
        #expect(audit.maximumFiles == 1000)
        #expect(audit.maximumAge == .seconds(365 * 86_400))
        #expect(audit.maximumTotalSize == 1 << 30)
    }

    @Test(
        arguments: [
            ("/var/log/app.log", "/var/log/audit.log"), ("/srv/one.log", "/srv/one.audit.log"),
            ("/srv/one", "/srv/one.audit.log"),
        ])
    func `the default audit log is in the folder of the configured log`(log: String, audit: String)
        throws
    {
        let configuration = try load(#"{"file":{"path":"\#(log)"}}"#)
        #expect(configuration.log.audit?.path == audit)
        let named = try load(#"{"file":{"path":"\#(log)"},"audit":{"path":"a.log"}}"#)
        #expect(named.log.audit?.path == folder.path("a.log"))
    }

    @Test func `null switches the audit log off, in the file and in the environment`() throws {
        #expect(try load(#"{"audit":null}"#).log.audit == nil)
        #expect(try load("{}", ["GATEHOUSE_LOG_AUDIT": "null"]).log.audit == nil)
        #expect(try load(#"{"audit":{}}"#).log.audit != nil)
    }

    @Test(
        arguments: [
            (#"{"audit":false}"#, "log.audit: false is neither an object nor null"),
            (#"{"audit":{"pth":"x"}}"#, "log.audit.pth: unknown key; did you mean log.audit.path?"),
            (#"{"audit":{"path":""}}"#, "log.audit.path: cannot be empty"),
            (#"{"audit":{"level":"LOUD"}}"#, "log.audit.level"),
            (
                #"{"file":{"path":"/tmp/a.log"},"audit":{"path":"/tmp/a.log"}}"#,
                "log.audit.path: is the same file as log.file.path"
            ),
            (
                #"{"file":{"path":"/tmp/a.log"},"audit":{"path":"/tmp/a.log.000001"}}"#,
                "log.audit.path: is /tmp/a.log.000001, which is reserved for the log"
            ),
        ])
    func `a problem of the audit log is reported with its path`(log: String, problem: String) {
        #expect(problems(log).contains { $0.hasPrefix(problem) }, "\(problems(log))")
    }

    @Test(
        arguments: [
            (#"{"level":"WARNING","file":{"level":"INFO"}}"#, "log.file.level"),
            (#"{"level":"WARNING","stderr":{"level":"DEBUG"}}"#, "log.stderr.level"),
            (#"{"audit":{"level":"DEBUG"}}"#, "log.audit.level"),
            (
                #"{"level":"DEBUG","file":{"level":"INFO"},"stderr":{"level":"WARNING"}}"#,
                "log.level"
            ),
            (
                #"{"areas":{"http":"DEBUG"},"file":{"level":"INFO"},"stderr":{"level":"ERROR"}}"#,
                "log.areas.http"
            ),
        ])
    func `a level without effect causes one warning`(log: String, setting: String) throws {
        let warnings = try warnings(log)
        #expect(warnings.count == 1)
        #expect(warnings.first?.hasPrefix("\(setting): ") == true, "\(warnings)")
    }

    @Test(
        arguments: [
            "{}", #"{"level":"DEBUG"}"#, #"{"level":"DEBUG","file":{"level":"INFO"}}"#,
            #"{"level":"WARNING","stderr":{"level":"ERROR"}}"#,
            #"{"areas":{"http":"DEBUG"},"stderr":{"level":"WARNING"}}"#,
            #"{"level":"INFO","file":{"level":"INFO"},"stderr":{"level":"WARNING"}}"#,
            #"{"level":"ERROR","areas":{"app":"INFO"},"file":{"level":"INFO"}}"#,
        ])
    func `a level with an effect causes no warning`(log: String) throws {
        #expect(try warnings(log).isEmpty)
    }
}
