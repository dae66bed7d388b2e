import Foundation
import POSIX
import TestSupport
import Testing

@Suite(.blocking, .serialized, .tags(.timing))
struct RevocationTests {
    /// What is known about a logout when the server is killed.
    private enum LogoutState { case notSent, sent, ended }

    @Test func `a confirmed logout survives a kill, and no other session ends`() throws {
        var options = PasswordServerFixture.Options()
        // The throttle must not count so many logins.
        options.login += #","max_attempts":0"#
        let fixture = try PasswordServerFixture(options)
        let count = TestScale.rounds(100, long: 1000)
        var generator = SeededGenerator(seed: 4)
        var known: [(token: String, state: LogoutState)] = []
        for round in 0..<TestScale.rounds(4, long: 6) {
            let server = try fixture.startServer()
            let tokens = try sessions(count, server)
            // Kill the server after this many confirmed logouts.
            let moment = round == 0 ? count / 2 : Int.random(in: 1...count, using: &generator)
            let states = Monitor([LogoutState](repeating: .notSent, count: count))
            let answered = Monitor(0)
            let threads = (0..<4).map { thread in
                TestThread {
                    guard let client = try? server.client() else { return }
                    for index in stride(from: thread, to: count, by: 4) {
                        // If sending fails, the server may still have received the request.
                        states.withLock { $0[index] = .sent }
                        guard (try? client.send(.logout(tokens[index]))) != nil,
                            let answer = try? client.response(), answer.status == 204
                        else { return }
                        states.withLock { $0[index] = .ended }
                        let number = answered.withLock { answered in
                            answered += 1
                            return answered
                        }
                        if number == moment { server.process.kill(SIGKILL) }
                    }
                }
            }
            for thread in threads { thread.join() }
            #expect(try server.process.wait() == .killed(by: SIGKILL))
            let decided = states.withLock { $0 }
            known += zip(tokens, decided).map { ($0, $1) }
            #expect(decided.count { $0 == .ended } >= moment)

            // A kill does not tear a write; a power failure can, so append a partial record.
            let torn = round == 1 ? 21 : 0
            if torn > 0 { try append(torn, to: fixture.folder.path("revocations.journal")) }
            let next = try fixture.startServer()
            try check(known, next)
            try next.stop()
            if torn > 0 {
                let repair = try #require(try fixture.events("revocations_mended").last)
                #expect(repair.level == "WARNING")
                #expect(try #require(Int(repair["bytes"] ?? "")) >= torn)
            }
        }
        #expect(known.contains { $0.state == .notSent })
        let (ending, report, _) = try fixture.run(["log", "verify"])
        // The lines that a killed server had not sealed are not proven.
        #expect(ending == .exited(3), "\(report)")
    }

    /// Logs in `count` times and returns the tokens.
    private func sessions(_ count: Int, _ server: ServerProcess) throws -> [String] {
        let client = try server.client()
        return try (0..<count).map { _ in
            try client.send(.login(named: "alice"))
            return try client.response().token
        }
    }

    private func check(_ known: [(token: String, state: LogoutState)], _ server: ServerProcess)
        throws
    {
        let client = try server.client()
        for (token, state) in known {
            try client.send(.resource(token))
            let verdict = try client.response().verdict
            switch state {
            case .notSent: #expect(verdict == "200")
            case .sent: #expect(["200", "401 Token revoked"].contains(verdict))
            case .ended: #expect(verdict == "401 Token revoked")
            }
        }
    }

    private func append(_ count: Int, to path: String) throws {
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.seekToEnd()
        try file.write(contentsOf: Data(repeating: 0x5A, count: count))
        try file.close()
    }

    @Test func `a journal is used by one server only, and a damaged one prevents a start`() throws {
        let fixture = try PasswordServerFixture()
        let server = try fixture.startServer()
        for _ in 0..<3 { _ = try server.ask(.logout(try server.login("alice").token)) }
        let settings = [
            "SERVER_PORT": "0", "LOG_STDERR_LEVEL": "CRITICAL", "LOG_FILE_PATH": "second.log",
            "ADMIN_SOCKET": "second.sock", "STATE_REVOCATIONS": "revocations.journal",
        ]
        let (ending, _, errors) = try ServerProcess.run(
            PasswordServerFixture.arguments, in: fixture.folder, settings)
        #expect(ending == .exited(73))
        #expect(errors.contains("the journal revocations.journal "))
        #expect(errors.contains("\(server.process.processID)"))
        try server.stop()

        // One bit of the second record, which is followed by others.
        let path = fixture.folder.path("revocations.journal")
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[88 + 44 + 3] ^= 1
        try bytes.write(to: URL(filePath: path))
        let damaged = try ServerProcess.run(
            PasswordServerFixture.arguments, in: fixture.folder, settings)
        #expect(damaged.ending == .exited(73))
        #expect(damaged.errors.contains("the journal revocations.journal "))
        // The damaged file is not changed.
        #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
    }

    @Test(
        .enabled(if: SmallDisk.isAvailable), arguments: ["serve", "refuse"])
    func `a full disk loses no revocation, and refused clients get 503`(policy: String) throws {
        var options = PasswordServerFixture.Options()
        options.log += #","on_failure":"\#(policy)""#
        options.sections =
            #""admin":{"socket":"admin.sock"},"state":{"revocations":"disk/journal"}"#
        let fixture = try PasswordServerFixture(options)
        let disk = fixture.folder.path("disk")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        try SmallDisk.mounted(at: disk, size: "256k") {
            let server = try fixture.startServer(
                policy == "refuse" ? ["LOG_FILE_PATH": "disk/app.log"] : [:])
            let tokens = try (0..<6).map { _ in try server.login("alice").token }
            #expect(try server.ask(.logout(tokens[0])).status == 204)
            try SmallDisk.fill("\(disk)/ballast")
            // The last page of the journal has space for some more records.
            var ended = [tokens[0]]
            var refused: ServerResponse?
            for _ in 0..<200 {
                let token = try server.login("bob").optionalToken
                guard let token else { break }
                let answer = try server.ask(.logout(token))
                if answer.status != 204 {
                    refused = answer
                    break
                }
                ended.append(token)
            }
            if policy == "serve" {
                let answer = try #require(refused)
                #expect(answer.verdict == "503 Storage unavailable")
                #expect(answer["Retry-After"] == "1")
                #expect(try server.ask(.refresh(tokens[1])).verdict == "503 Storage unavailable")
                // The token was not exchanged, and other requests are served.
                #expect(try server.ask(.resource(tokens[1])).status == 200)
                let ready = try server.ask(.get("/health/ready"))
                #expect(ready.status == 503)
                #expect(ready.content.contains("the journal of revocations cannot be written"))
            } else {
                #expect(try eventually { try server.ask(.get("/health/ready")).status == 503 })
                for request in [String.refresh(tokens[1]), .logout(tokens[1])] {
                    let answer = try server.ask(request)
                    #expect(answer.verdict == "503 Log unavailable")
                    #expect(answer["Retry-After"] == "1")
                }
                let ready = try server.ask(.get("/health/ready"))
                #expect(ready.content.contains("the log cannot be written"))
            }
            #expect(try server.ask(.get("/health/live")).status == 200)

            try FileManager.default.removeItem(atPath: "\(disk)/ballast")
            let isServed = try eventually {
                try server.ask(.logout(tokens[2])).status == 204
                    || server.ask(.resource(tokens[2])).status == 401
            }
            #expect(isServed)
            let fresh = try server.ask(.refresh(tokens[3]))
            #expect(fresh.status == 200)
            #expect(try server.ask(.get("/health/ready")).status == 200)
            ended.append(tokens[2])
            server.process.kill(SIGKILL)
            try server.process.wait()

            let next = try fixture.startServer(
                policy == "refuse" ? ["LOG_FILE_PATH": "disk/app.log"] : [:])
            for token in ended {
                #expect(try next.ask(.resource(token)).verdict == "401 Token revoked")
            }
            #expect(try next.ask(.resource(try fresh.token)).status == 200)
            #expect(try next.ask(.resource(tokens[4])).status == 200)
            next.process.stop()
        }
    }
}

extension ServerResponse {
    fileprivate var optionalToken: String? { try? token }
}
