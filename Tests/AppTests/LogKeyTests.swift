import Foundation
import TestSupport
import Testing

@Suite(.blocking, .serialized)
struct LogKeyTests {
    private let folder = try! TemporaryFolder()
    private let configuration = ["--config", "gatehouse.json"]

    init() throws {
        try folder.file("old.key", "a token key of thirty-two bytes!\n")
        try folder.file("new.key", "another token key, of 34 bytes ...\n")
        try folder.file("seal.key", "a seal key, and of 32 bytes, too\n")
    }

    private func configure(_ keys: String..., seal: Bool = false) throws {
        let list = keys.map { #"{"id":"\#($0)","secret_file":"\#($0).key"}"# }
        try folder.file(
            "gatehouse.json",
            """
            {"server":{"port":0,"workers":1},"login":{"mode":"demo"},
             "token":{"keys":[\(list.joined(separator: ","))]},
             "log":{"file":{"path":"app.log"},"stderr":{"level":"CRITICAL"}
                    \(seal ? #","seal_secret_file":"seal.key""# : "")}}
            """)
    }

    private func run() throws {
        let server = try ServerProcess(in: folder, [:], configuration)
        _ = try server.ask(.login(1))
        #expect(try server.stop() == .exited(0))
    }

    /// Runs a server whose configuration is changed and reloaded.
    private func run(changing change: () throws -> Void) throws {
        let server = try ServerProcess(in: folder, [:], configuration)
        _ = try server.ask(.login(1))
        try change()
        server.process.kill(SIGHUP)
        let client = try server.client()
        #expect(
            try eventually {
                try client.send(.get("/health/live"))
                _ = try client.response()
                return try folder.content("app.log").contains("config_reload ")
            })
        _ = try server.ask(.login(2))
        #expect(try server.stop() == .exited(0))
    }

    private func verify(_ arguments: String...) throws -> (code: CInt?, report: String) {
        let (ending, output, errors) = try ServerProcess.run(
            ["log", "verify"] + arguments + configuration, in: folder, ["LOG_FILE_PATH": "app.log"])
        guard case .exited(let code) = ending else { return (nil, output + errors) }
        return (code, output + errors)
    }

    /// Runs `body` while the first or the last line of an event is edited, and restores the log.
    private func edited(_ event: String, last: Bool, _ body: () throws -> Void) throws {
        let original = try folder.content("app.log")
        let range = try #require(
            original.ranges(of: " \(event) user=").map(\.upperBound).sorted()[last ? 1... : 0...]
                .first
        )
        var text = original
        text.replaceSubrange(range..<text.index(after: range), with: "7")
        try folder.file("app.log", text)
        try body()
        try folder.file("app.log", original)
    }

    @Test(arguments: [true, false])
    func `a log can change from a token key to its own seal secret, but not back`(byReload: Bool)
        throws
    {
        try configure("old")
        if byReload {
            try run { try configure("old", seal: true) }
        } else {
            try run()
            try configure("old", seal: true)
            // Until the server uses the secret, a holder of the token key could have forged the
            // log.
            #expect(try verify().code == 3)
            try run()
        }
        let (code, report) = try verify()
        #expect(code == 0, "\(report)")
        for last in [false, true] {
            try edited("authn_login_success", last: last) { try #expect(verify().code == 1) }
        }
        // The way back is reported as tampering.
        try configure("old")
        try run()
        try configure("old", seal: true)
        let back = try verify()
        #expect(back.code == 1)
        #expect(back.report.contains("which was no longer in use"))
    }

    @Test(arguments: [true, false])
    func `a log sealed with a removed key is reported, and verified with --key-file`(byReload: Bool)
        throws
    {
        try configure("old")
        if byReload {
            try run { try configure("new") }
        } else {
            try run()
            try configure("new")
            try run()
        }
        let (code, report) = try verify()
        #expect(code == 2, "\(report)")
        #expect(report.contains("app.log: lines 1-"))
        #expect(report.contains("--key-file"))
        #expect(try verify("--key-file", "old.key").code == 0)
        #expect(try verify("--key-file", "seal.key").code == 2)
        let missing = try verify("--key-file", "no.key")
        #expect(missing.code == 2)
        #expect(missing.report.contains("no.key: cannot be read: No such file or directory"))
        for last in [false, true] {
            try edited("authn_login_success", last: last) {
                try #expect(verify().code == 1)
                try #expect(verify("--key-file", "old.key").code == 1)
            }
        }
    }

    @Test func `without a configuration the key of --key-file is the current key`() throws {
        try configure("old", seal: true)
        try run()
        let (ending, output, errors) = try ServerProcess.run(
            ["log", "verify", "--key-file", "seal.key", "app.log"], in: folder, [:])
        #expect(ending == .exited(0), "\(output + errors)")
        let other = try ServerProcess.run(
            ["log", "verify", "--key-file", "old.key", "app.log"], in: folder, [:])
        #expect(other.0 == .exited(2))
    }
}
