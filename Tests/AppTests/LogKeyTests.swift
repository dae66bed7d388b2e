import Foundation
import TestSupport
import Testing

@Suite("The key of the log's seals", .blocking, .serialized)
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
        let house = try ServerProcess(in: folder, [:], configuration)
        _ = try house.ask(.login(1))
        #expect(try house.stop() == .exited(0))
    }

    /// Has a running server change its key.
    private func run(changing change: () throws -> Void) throws {
        let house = try ServerProcess(in: folder, [:], configuration)
        _ = try house.ask(.login(1))
        try change()
        house.process.kill(SIGHUP)
        let client = try house.client()
        #expect(
            try eventually {
                try client.send(.get("/health/live"))
                _ = try client.response()
                return try folder.content("app.log").contains("config_reload ")
            })
        _ = try house.ask(.login(2))
        #expect(try house.stop() == .exited(0))
    }

    private func verify(_ arguments: String...) throws -> (code: CInt?, report: String) {
        let (ending, output, errors) = try ServerProcess.run(
            ["log", "verify"] + arguments + configuration, in: folder, ["LOG_FILE_PATH": "app.log"])
        guard case .exited(let code) = ending else { return (nil, output + errors) }
        return (code, output + errors)
    }

    /// A line is edited: the first or the last of an event, and the log is as it was afterwards.
    private func edited(_ event: String, last: Bool, _ body: () throws -> Void) throws {
        let whole = try folder.content("app.log")
        let range = try #require(
            whole.ranges(of: " \(event) user=").map(\.upperBound).sorted()[last ? 1... : 0...].first
        )
        var text = whole
        text.replaceSubrange(range..<text.index(after: range), with: "7")
        try folder.file("app.log", text)
        try body()
        try folder.file("app.log", whole)
    }

    @Test("may become a secret of its own, by a restart or a reload", arguments: [true, false])
    func sealSecret(byReload: Bool) throws {
        try configure("old")
        if byReload {
            try run { try configure("old", seal: true) }
        } else {
            try run()
            try configure("old", seal: true)
            // Until the server has it, whoever has the token key could have written everything.
            #expect(try verify().code == 3)
            try run()
        }
        let (code, report) = try verify()
        #expect(code == 0, "\(report)")
        for last in [false, true] {
            try edited("authn_login_success", last: last) { try #expect(verify().code == 1) }
        }
        // And never back.
        try configure("old")
        try run()
        try configure("old", seal: true)
        let back = try verify()
        #expect(back.code == 1)
        #expect(back.report.contains("which was no longer in use"))
    }

    @Test("may be gone, and is named then, by a restart or a reload", arguments: [true, false])
    func oldKey(byReload: Bool) throws {
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

    @Test func `a key that is named without a configuration is the key in use`() throws {
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
