import Foundation
import POSIX
import TestSupport
import Testing

@Suite("What was revoked", .blocking, .serialized)
struct RevocationTests {
    /// What became of a session that somebody may have ended.
    private enum Fate { case untouched, asked, ended }

    @Test("stays revoked though the process is killed, and nothing else is")
    func killed() throws {
        var plan = PasswordServerFixture.Options()
        // So many logins at once are no guesses.
        plan.login += #","max_attempts":0"#
        let estate = try PasswordServerFixture(plan)
        let count = TestScale.rounds(100, long: 1000)
        var dice = SeededGenerator(seed: 4)
        var known: [(token: String, fate: Fate)] = []
        for round in 0..<TestScale.rounds(4, long: 6) {
            let house = try estate.house()
            let tokens = try sessions(count, house)
            // From before all of them are asked for to after all are answered.
            let moment = round == 0 ? count / 2 : Int.random(in: 1...count, using: &dice)
            let fates = Monitor([Fate](repeating: .untouched, count: count))
            let answered = Monitor(0)
            let threads = (0..<4).map { thread in
                Running {
                    guard let client = try? house.client() else { return }
                    for index in stride(from: thread, to: count, by: 4) {
                        // One that was not even sent may be dead for all we know.
                        fates.withLock { $0[index] = .asked }
                        guard (try? client.send(.logout(tokens[index]))) != nil,
                            let answer = try? client.response(), answer.status == 204
                        else { return }
                        fates.withLock { $0[index] = .ended }
                        let number = answered.withLock { answered in
                            answered += 1
                            return answered
                        }
                        if number == moment { house.process.kill(SIGKILL) }
                    }
                }
            }
            for thread in threads { thread.join() }
            #expect(try house.process.wait() == .killed(by: SIGKILL))
            let decided = fates.withLock { $0 }
            known += zip(tokens, decided).map { ($0, $1) }
            #expect(decided.count { $0 == .ended } >= moment)

            // A write that the machine's death has cut short is more than a kill can do.
            let torn = round == 1 ? 21 : 0
            if torn > 0 { try append(torn, to: estate.folder.path("revocations.journal")) }
            let next = try estate.house()
            try check(known, next)
            try next.stop()
            if torn > 0 {
                let mended = try #require(try estate.events("revocations_mended").last)
                #expect(mended.level == "WARNING")
                #expect(try #require(Int(mended["bytes"] ?? "")) >= torn)
            }
        }
        #expect(known.contains { $0.fate == .untouched })
        let (ending, report, _) = try estate.run(["log", "verify"])
        // Who wrote the lines that the killed servers had not sealed is not proven.
        #expect(ending == .exited(3), "\(report)")
    }

    /// Logs in so many times.
    private func sessions(_ count: Int, _ house: ServerProcess) throws -> [String] {
        let client = try house.client()
        return try (0..<count).map { _ in
            try client.send(.login(named: "alice"))
            return try client.response().token
        }
    }

    private func check(_ known: [(token: String, fate: Fate)], _ house: ServerProcess) throws {
        let client = try house.client()
        for (token, fate) in known {
            try client.send(.resource(token))
            let verdict = try client.response().verdict
            switch fate {
            case .untouched: #expect(verdict == "200")
            case .asked: #expect(["200", "401 Token revoked"].contains(verdict))
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

    @Test("is one server's affair, and not begun without by any")
    func journal() throws {
        let estate = try PasswordServerFixture()
        let house = try estate.house()
        for _ in 0..<3 { _ = try house.ask(.logout(try house.login("alice").token)) }
        let settings = [
            "SERVER_PORT": "0", "LOG_STDERR_LEVEL": "CRITICAL", "LOG_FILE_PATH": "second.log",
            "ADMIN_SOCKET": "second.sock", "STATE_REVOCATIONS": "revocations.journal",
        ]
        let (ending, _, errors) = try ServerProcess.run(
            PasswordServerFixture.arguments, in: estate.folder, settings)
        #expect(ending == .exited(73))
        #expect(errors.contains("the journal revocations.journal "))
        #expect(errors.contains("\(house.process.processID)"))
        try house.stop()

        // One bit of the second record, which has others behind it.
        let path = estate.folder.path("revocations.journal")
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[88 + 44 + 3] ^= 1
        try bytes.write(to: URL(filePath: path))
        let damaged = try ServerProcess.run(
            PasswordServerFixture.arguments, in: estate.folder, settings)
        #expect(damaged.ending == .exited(73))
        #expect(damaged.errors.contains("the journal revocations.journal "))
        // Nothing was mended that cannot be.
        #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
    }

    @Test(
        "is not lost for want of room, and whoever could not be served is told to come back",
        .enabled(if: SmallDisk.canBeMade), arguments: ["serve", "refuse"])
    func fullDisk(policy: String) throws {
        var plan = PasswordServerFixture.Options()
        plan.log += #","on_failure":"\#(policy)""#
        plan.more = #""admin":{"socket":"admin.sock"},"state":{"revocations":"disk/journal"}"#
        let estate = try PasswordServerFixture(plan)
        let disk = estate.folder.path("disk")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        try SmallDisk.mounted(at: disk, size: "256k") {
            let house = try estate.house(
                policy == "refuse" ? ["LOG_FILE_PATH": "disk/app.log"] : [:])
            let tokens = try (0..<6).map { _ in try house.login("alice").token }
            #expect(try house.ask(.logout(tokens[0])).status == 204)
            try SmallDisk.fill("\(disk)/ballast")
            // The journal's last page has room for some more.
            var ended = [tokens[0]]
            var refused: ServerResponse?
            for _ in 0..<200 {
                let token = try house.login("bob").optionalToken
                guard let token else { break }
                let answer = try house.ask(.logout(token))
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
                #expect(try house.ask(.refresh(tokens[1])).verdict == "503 Storage unavailable")
                // The token was not exchanged, and nobody else is kept out.
                #expect(try house.ask(.resource(tokens[1])).status == 200)
                let ready = try house.ask(.get("/health/ready"))
                #expect(ready.status == 503)
                #expect(ready.content.contains("the journal of revocations cannot be written"))
            } else {
                #expect(try eventually { try house.ask(.get("/health/ready")).status == 503 })
                for request in [String.refresh(tokens[1]), .logout(tokens[1])] {
                    let answer = try house.ask(request)
                    #expect(answer.verdict == "503 Log unavailable")
                    #expect(answer["Retry-After"] == "1")
                }
                let ready = try house.ask(.get("/health/ready"))
                #expect(ready.content.contains("the log cannot be written"))
            }
            #expect(try house.ask(.get("/health/live")).status == 200)

            try FileManager.default.removeItem(atPath: "\(disk)/ballast")
            let isServed = try eventually {
                try house.ask(.logout(tokens[2])).status == 204
                    || house.ask(.resource(tokens[2])).status == 401
            }
            #expect(isServed)
            let fresh = try house.ask(.refresh(tokens[3]))
            #expect(fresh.status == 200)
            #expect(try house.ask(.get("/health/ready")).status == 200)
            ended.append(tokens[2])
            house.process.kill(SIGKILL)
            try house.process.wait()

            let next = try estate.house(
                policy == "refuse" ? ["LOG_FILE_PATH": "disk/app.log"] : [:])
            for token in ended {
                #expect(try next.ask(.resource(token)).verdict == "401 Token revoked")
            }
            #expect(try next.ask(.resource(try fresh.token)).status == 200)
            #expect(try next.ask(.resource(tokens[4])).status == 200)
            next.process.end()
        }
    }
}

extension ServerResponse {
    fileprivate var optionalToken: String? { try? token }
}
