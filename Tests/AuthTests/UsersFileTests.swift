import Crypto
import Foundation
import Glibc
import JSON
import JWT
import POSIX
import TestSupport
import Testing

@testable import Auth

struct UsersFileTests {
    private let folder = try! TemporaryFolder()
    private var file: UsersFile { UsersFile(folder.path("users.json")) }

    private static func hash(_ text: String) -> PasswordHash {
        PasswordHash(of: Password(text)!, iterations: 1000)
    }

    private static let alice = User(
        id: UserID(1)!, username: "alice", name: "Alice \"A\" \\ \u{E9}€😀",
        password: hash("correct horse"))
    private static let bob = User(
        id: UserID(2)!, username: "bob", name: "", isDisabled: true)
    private static let largest = User(
        id: UserID(UserID.maximum)!, username: "zo\u{EB} z", name: "Z",
        password: hash("battery staple"))

    private func make(_ users: [User]) throws {
        try file.update(making: true) { $0 = users }
    }

    private func mode() throws -> mode_t {
        try FileStatus(path: folder.path("users.json")).mode & 0o7777
    }

    // MARK: Reading

    @Test func `a users file is read as documented`() throws {
        let text = Self.hash("correct horse").text
        try folder.file(
            "users.json",
            """
            {"users":[{"id":7,"username":"alice","name":"Alice","password":"\(text)",
                       "disabled":false},
                      {"name":"Bob","username":"bob","id":2,"password":null,"disabled":true},
                      {"id":3,"username":"carol","name":"Carol"}]}
            """)
        let users = try file.read()
        #expect(users.map(\.id.rawValue) == [7, 2, 3])
        #expect(users.map(\.username) == ["alice", "bob", "carol"])
        #expect(users.map(\.name) == ["Alice", "Bob", "Carol"])
        #expect(users.map(\.password?.text) == [text, nil, nil])
        #expect(users.map(\.isDisabled) == [false, true, false])
    }

    @Test func `all problems are reported, each with its place and without secrets`() throws {
        try folder.file(
            "users.json",
            """
            {"users":[
              {"id":1,"username":"alice","name":"Alice","password":"hunter2hunter2"},
              {"id":1,"username":"alice","name":"Alice"},
              {"id":2.0,"username":" bob","name":"B\\nb","password":17,"disabled":"no"},
              {"id":true,"username":5,"name":null,"pasword":"hunter2hunter2"},
              {"id":0},
              "carol",
              {"id":9007199254740992,"username":"zoe\\u0308","name":"Z"},
              {"id":8,"username":"zo\\u00eb","name":"Z","password":"$pbkdf2-sha256$i=1$hunter2$x"}
            ],"version":1}
            """)
        do {
            _ = try file.read()
            Issue.record("it was read")
        } catch {
            let sentences = error.messages("users.json")
            #expect(
                sentences == [
                    "users.json: version: unknown key; allowed: users, next_id",
                    "users.json: users[0].password: not a password hash "
                        + "($pbkdf2-sha256$i=…); set it with `gatehouse user set-password`",
                    "users.json: users[1].id: 1 is also the id of users[0]",
                    "users.json: users[1].username: \"alice\" is also the user name of users[0]",
                    "users.json: users[2].id: not a whole number from 1 to 9007199254740991",
                    "users.json: users[2].username: not a user name: 1 to 64 characters, no "
                        + "control characters, no white space at the ends",
                    "users.json: users[2].name: not a name: at most 256 characters, no "
                        + "control characters",
                    "users.json: users[2].password: a number is neither a string nor null",
                    "users.json: users[2].disabled: a string is neither true nor false",
                    "users.json: users[3].id: not a whole number from 1 to 9007199254740991",
                    "users.json: users[3].username: a number is not a string",
                    "users.json: users[3].name: null is not a string",
                    "users.json: users[3].pasword: unknown key; allowed: id, username, name, "
                        + "password, disabled",
                    "users.json: users[4].id: not a whole number from 1 to 9007199254740991",
                    "users.json: users[4].username: is missing",
                    "users.json: users[4].name: is missing",
                    "users.json: users[5]: a string is not an object with id, username and name",
                    "users.json: users[6].id: not a whole number from 1 to 9007199254740991",
                    "users.json: users[7].username: \"zo\u{EB}\" is also the user name of users[6]",
                    "users.json: users[7].password: not a password hash "
                        + "($pbkdf2-sha256$i=…); set it with `gatehouse user set-password`",
                ])
            #expect(!"\(error) \(String(reflecting: error))".contains("hunter2"))
        }
    }

    @Test(
        arguments: [
            ("", "users.json:1: the file ends too early"),
            ("{\"users\":[\n{\"id\":1,", "users.json:2: the file ends too early"),
            ("{\"users\":[]}\n{", "users.json:2: unexpected content after the object"),
            ("{\"users\":[],\n\"users\":[]}", "users.json:2: duplicate name"),
            ("alice:x:1000", "users.json:1: not JSON"),
            ("[]", "users.json: the file must hold one object, {\"users\":[…]}"),
            ("null", "users.json: the file must hold one object, {\"users\":[…]}"),
            ("{}", "users.json: users: is missing; write {\"users\":[]} for an empty list"),
            ("{\"users\":{}}", "users.json: users: an object is not a list"),
        ])
    func `a truncated or foreign file is refused with the line number`(
        content: String, sentence: String
    ) throws {
        try folder.file("users.json", content)
        #expect(sentences { _ = try file.read() } == [sentence])
        // It is not changed either.
        #expect(sentences { try file.update(making: true) { $0 = [Self.bob] } } == [sentence])
        #expect(try folder.content("users.json") == content)
    }

    @Test func `at most a hundred problems are reported`() throws {
        let wrong = Array(repeating: "1", count: 3000).joined(separator: ",")
        try folder.file("users.json", "{\"users\":[\(wrong)]}")
        #expect(sentences { _ = try file.read() }.count == 100)
    }

    @Test func `a file that is too large or has too many users is refused`() throws {
        try folder.file("users.json", String(repeating: " ", count: UsersFile.maximumSize + 1))
        #expect(throws: UsersFileError.tooLarge) { try file.read() }
        let many = Array(repeating: "0", count: UsersFile.maximumUsers + 1).joined(separator: ",")
        try folder.file("users.json", "{\"users\":[\(many)]}")
        #expect(throws: UsersFileError.tooManyUsers) { try file.read() }
    }

    @Test func `a file that cannot be read is reported with the reason`() throws {
        #expect(
            sentences { _ = try file.read() }
                == ["users.json: the users cannot be read: No such file or directory"])
        try FileManager.default.createDirectory(
            atPath: folder.path("users.json"), withIntermediateDirectories: false)
        #expect(throws: UsersFileError.notRegular) { try file.read() }
        try FileManager.default.removeItem(atPath: folder.path("users.json"))
        // A read would wait forever: nothing writes to the pipe.
        #expect(mkfifo(folder.path("users.json"), 0o600) == 0)
        #expect(throws: UsersFileError.notRegular) { try file.read() }
    }

    private func sentences(_ body: () throws -> Void) -> [String] {
        do {
            try body()
            return []
        } catch {
            return (error as? UsersFileError)?.messages("users.json") ?? ["\(error)"]
        }
    }

    // MARK: Changing

    @Test func `users are read back as they were written, in the same order`() throws {
        let users = [Self.largest, Self.alice, Self.bob]
        try make(users)
        #expect(try file.read() == users)
        #expect(try mode() == 0o600)
        #expect(folder.allNames == [".users.json.lock", "users.json"])
        // One user per line.
        #expect(try folder.content("users.json").split(separator: "\n").count == 5)
        let tree = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(filePath: folder.path("users.json"))))
        let list = try #require((tree as? [String: Any])?["users"] as? [[String: Any]])
        #expect(list.map { $0["name"] as? String } == users.map(\.name))
    }

    @Test func `a changed file and its lock are readable by the owner only`() throws {
        try folder.file("users.json", "{\"users\":[]}", mode: 0o644)
        try file.update { $0 = [Self.alice] }
        #expect(try mode() == 0o600)
        let lock = try FileStatus(path: folder.path(".users.json.lock"))
        #expect(lock.mode & 0o777 == 0o600)
    }

    @Test func `ids of removed users are known if the file has next_id`() throws {
        func used() throws -> [Int64] {
            let ids = try file.readAll().ids
            return (1...9).filter { ids.mayHaveBeenUsed(UserID($0)!) }
        }
        try folder.file(
            "users.json", #"{"users":[{"id":5,"username":"a","name":"A"}]}"#)
        #expect(try used() == [])
        #expect(try file.readAll().ids.next == UserID(6))
        _ = try file.update { users in users.removeAll() }
        #expect(try used() == [1, 2, 3, 4, 5])
        #expect(try file.readAll().ids.next == UserID(6))
    }

    @Test func `isWritable predicts whether the file can be changed`() throws {
        #expect(!file.isWritable)
        try file.update(making: true) { $0 = [Self.alice] }
        #expect(file.isWritable)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("link"), withDestinationPath: "users.json")
        #expect(!UsersFile(folder.path("link")).isWritable)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("loose"), withDestinationPath: "nowhere")
        #expect(!UsersFile(folder.path("loose")).isWritable)
        #expect(!UsersFile(folder.path).isWritable)
        // A directory has the name of the lock file.
        let lock = folder.path(".users.json.lock")
        try FileManager.default.removeItem(atPath: lock)
        try FileManager.default.createDirectory(
            atPath: lock, withIntermediateDirectories: false)
        #expect(!file.isWritable)
        #expect(throws: UsersFileError.self) { try file.update { $0 = [] } }
    }

    @Test(
        .enabled(if: geteuid() != 0))
    func `a file without write permissions is not writable`() throws {
        try file.update(making: true) { $0 = [Self.alice] }
        chmod(folder.path(".users.json.lock"), 0o400)
        #expect(!file.isWritable)
        chmod(folder.path(".users.json.lock"), 0o600)
        #expect(file.isWritable)
        chmod(folder.path, 0o500)
        #expect(!file.isWritable)
        chmod(folder.path, 0o700)
    }

    @Test func `the id of a removed user is never used again`() throws {
        func add(_ username: String) throws -> Int64? {
            try file.update(making: true) { users, ids in
                guard let nextID = ids.next else { return nil }
                users.append(User(id: nextID, username: username, name: "N"))
                return nextID.rawValue
            }
        }
        #expect(try add("a") == 1)
        #expect(try add("b") == 2)
        _ = try file.update { users in users.removeAll() }
        #expect(try add("c") == 3)
        // A manually chosen id is followed by the next higher one.
        _ = try file.update { users in
            users.append(User(id: UserID(17)!, username: "d", name: "N"))
        }
        _ = try file.update { users in users.removeLast() }
        #expect(try add("e") == 18)
        _ = try file.update { users in
            users.append(User(id: UserID(UserID.maximum)!, username: "f", name: "N"))
        }
        #expect(try add("g") == nil)
    }

    @Test func `an update that changes nothing does not write the file`() throws {
        try folder.file("users.json", "{ \"users\" : [ ] }")
        let answer = try file.update { users in users.count }
        #expect(answer == 0)
        #expect(try folder.content("users.json") == "{ \"users\" : [ ] }")
    }

    @Test func `a missing file is created only on request`() throws {
        #expect(throws: UsersFileError.cannotRead(.noSuchFileOrDirectory)) {
            try file.update { _ in }
        }
        #expect(folder.names == [])
        try file.update(making: true) { $0.append(Self.bob) }
        #expect(try file.read() == [Self.bob])
    }

    @Test func `a symbolic link is followed for reading and not for writing`() throws {
        try FileManager.default.createDirectory(
            atPath: folder.path("real"), withIntermediateDirectories: false)
        try folder.file("real/users.json", "{\"users\":[]}")
        #expect(symlink("real/users.json", folder.path("users.json")) == 0)
        #expect(try file.read() == [])
        #expect(throws: UsersFileError.isLink) { try file.update { $0 = [Self.alice] } }
        #expect(throws: UsersFileError.isLink) { try make([Self.alice]) }
        #expect(try folder.content("real/users.json") == "{\"users\":[]}")
        #expect(unlink(folder.path("users.json")) == 0)
        #expect(symlink("nowhere/users.json", folder.path("users.json")) == 0)
        #expect(throws: UsersFileError.cannotRead(.noSuchFileOrDirectory)) { try file.read() }
        #expect(throws: UsersFileError.isLink) { try make([Self.alice]) }
        #expect(folder.names == ["real", "users.json"])
    }

    @Test func `leftovers of a killed process and links in their place do no harm`() throws {
        try make([Self.alice])
        try folder.file(".users.json.new", "{\"users\":[{\"id\":")
        try file.update { $0.append(Self.bob) }
        #expect(try file.read() == [Self.alice, Self.bob])
        let victim = try folder.file("victim", "as it was")
        #expect(symlink(victim, folder.path(".users.json.new")) == 0)
        _ = try file.update { $0.removeLast() }
        #expect(try folder.content("victim") == "as it was")
        #expect(try file.read() == [Self.alice])
        #expect(folder.allNames == [".users.json.lock", "users.json", "victim"])
    }

    @Test(.enabled(if: geteuid() == 0))
    func `root neither reads nor writes a file of another account`() throws {
        try make([Self.alice])
        #expect(chown(folder.path("users.json"), 12_345, 23_456) == 0)
        let fault = PathFault(
            path: folder.path("users.json"), kind: .file, reason: .owner(12_345, wanted: 0))
        #expect(throws: UsersFileError.untrusted([fault])) { try file.read() }
        #expect(throws: UsersFileError.untrusted([fault])) { try file.update { $0 = [] } }
    }

    @Test(.enabled(if: geteuid() == 0))
    func `an update keeps the group that may read the file`() throws {
        try make([Self.alice])
        #expect(chown(folder.path("users.json"), 0, 23_456) == 0)
        for (mode, group, newMode) in [
            (0o640, 23_456, 0o640), (0o600, 0, 0o600),
        ] as [(mode_t, gid_t, mode_t)] {
            #expect(chmod(folder.path("users.json"), mode) == 0)
            try file.update { $0.append(.test(Int64($0.count) + 7)) }
            let status = try FileStatus(path: folder.path("users.json"))
            #expect(status.group == group)
            #expect(status.mode & 0o7777 == newMode)
        }
    }

    @Test(arguments: [0o620, 0o602, 0o666] as [mode_t])
    func `a file that others can change is refused with the command that repairs it`(mode: mode_t)
        throws
    {
        try make([Self.alice])
        #expect(chmod(folder.path("users.json"), mode) == 0)
        let path = folder.path("users.json")
        let who = mode & 0o002 != 0 ? "others" : "its group"
        let digits = String(mode, radix: 8)
        let sentence =
            "users.json: the file \(path) can be changed by \(who) (mode 0\(digits)); "
            + "chmod go-w \(path)"
        #expect(sentences { _ = try file.read() } == [sentence])
        #expect(sentences { try file.update { $0 = [] } } == [sentence])
    }

    @Test
    func `a folder that others can change is refused for reading and creating a file`() throws {
        #expect(chmod(folder.path, 0o770) == 0)
        defer { chmod(folder.path, 0o700) }
        let fault = PathFault(path: folder.path, kind: .folder, reason: .mode(0o40770))
        #expect(throws: UsersFileError.untrusted([fault])) { try make([Self.alice]) }
        try folder.file("users.json", "{\"users\":[]}")
        #expect(throws: UsersFileError.untrusted([fault])) { try file.read() }
    }

    @Test(arguments: [
        (Array("\u{FEFF}{\"users\":[]}".utf8), TextEncoding.utf8WithMark),
        (Array("{\"users\":[]}".utf16).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }, .utf16),
        ([0xFE, 0xFF, 0, UInt8(ascii: "{"), 0, UInt8(ascii: "}")], .utf16),
    ])
    func `a byte order mark and UTF-16 are refused by name`(
        bytes: [UInt8], encoding: TextEncoding
    ) throws {
        try folder.file("users.json", "")
        try Data(bytes).write(to: URL(filePath: folder.path("users.json")))
        #expect(throws: UsersFileError.encoding(encoding)) { try file.read() }
    }

    // MARK: A file that is a mount point

    /// The errors of rename(2) for a mount point, and between two mounts.
    @Test(arguments: [Errno.resourceBusy, .improperLink])
    func `a file that cannot be replaced is written in place, and a copy is kept`(
        error: Errno
    ) throws {
        try make([Self.alice, .test(9)])
        let old = try folder.content("users.json")
        let before = try FileStatus(path: folder.path("users.json"))
        let fileSystem = FileSystemDouble { operation, _ in
            operation == .rename ? .failed(error) : .done
        }
        let mounted = UsersFile(folder.path("users.json"), fileSystem: fileSystem)
        try mounted.update { $0 = [Self.bob] }
        #expect(try file.read() == [Self.bob])
        #expect(try FileStatus(path: folder.path("users.json")).isSameFile(as: before))
        #expect(try folder.content(".users.json.old") == old)
        try mounted.update { $0.append(Self.alice) }
        #expect(try file.read() == [Self.bob, Self.alice])
        #expect(
            folder.allNames == [".users.json.lock", ".users.json.old", "users.json"])
    }

    @Test func `a failed write in place leaves the old or the new users`() throws {
        var (number, hasFailed) = (0, true)
        while hasFailed {
            try make([Self.alice])
            number += 1
            let failing = number
            let fileSystem = FileSystemDouble { operation, count in
                if operation == .rename { return .failed(.resourceBusy) }
                return count == failing ? .failed(.ioError) : .done
            }
            let mounted = UsersFile(folder.path("users.json"), fileSystem: fileSystem)
            let sentences = sentences { try mounted.update { $0.append(Self.bob) } }
            let users = try file.read()
            #expect(users == [Self.alice] || users == [Self.alice, Self.bob])
            #expect(!sentences.isEmpty || users.count == 2)
            hasFailed = fileSystem.total >= number
        }
        #expect(number > 10)
    }

    @Test(.enabled(if: SmallDisk.isAvailable))
    func `a file that is a mount of its own can be changed`() throws {
        try make([Self.alice])
        let outside = try TemporaryFolder()
        try outside.file("real.json", try folder.content("users.json"))
        // MS_BIND
        let path = folder.path("users.json")
        #expect(mount(outside.path("real.json"), path, nil, 4096, nil) == 0)
        defer { umount2(path, CInt(MNT_DETACH)) }
        try file.update { $0.append(Self.bob) }
        #expect(try file.read() == [Self.alice, Self.bob])
        #expect(try UsersFile(outside.path("real.json")).read() == [Self.alice, Self.bob])
    }

    @Test func `a failed operation leaves the old or the new users`() throws {
        let (before, after) = ([Self.alice], [Self.alice, Self.bob])
        for error in [Errno.noSpace, .ioError, .permissionDenied, .readOnlyFileSystem] {
            var (number, hasFailed, written) = (0, true, 0)
            while hasFailed {
                try make(before)
                number += 1
                let failing = number
                let fileSystem = FileSystemDouble { _, count in
                    count == failing ? .failed(error) : .done
                }
                let file = UsersFile(folder.path("users.json"), fileSystem: fileSystem)
                let sentences = sentences { try file.update { $0.append(Self.bob) } }
                let users = try self.file.read()
                #expect(users == before || users == after, "operation \(number)")
                if users == after { written += 1 }
                // A change without an error must be in the file.
                #expect(!sentences.isEmpty || users == after)
                for sentence in sentences { #expect(sentence.contains(error.description)) }
                hasFailed = fileSystem.total >= number
            }
            // The last round had no failure; the two before it failed in the directory's
            // synchronization.
            #expect(number >= 9)
            #expect(written == 3)
        }
        #expect(folder.allNames == [".users.json.lock", "users.json"])
    }

    @Test func `a folder that cannot be written is reported`() throws {
        try make([Self.alice])
        let fileSystem = FileSystemDouble { operation, _ in
            operation == .open ? .failed(.readOnlyFileSystem) : .done
        }
        let file = UsersFile(folder.path("users.json"), fileSystem: fileSystem)
        #expect(
            sentences { try file.update { $0 = [] } }
                == [
                    "users.json: its folder cannot be written: Read-only file system; a change "
                        + "creates a lock and a new file there: if only the file is mounted, mount "
                        + "its folder"
                ])
        #expect(try self.file.read() == [Self.alice])
    }

    @Test func `a file that is written in pieces is complete`() throws {
        let users = (1...200).map { User.test($0) }
        let fileSystem = FileSystemDouble { operation, _ in operation == .write ? .short : .done }
        let file = UsersFile(folder.path("users.json"), fileSystem: fileSystem)
        try file.update(making: true) { $0 = users }
        #expect(try self.file.read() == users)
        #expect(fileSystem.count(of: .write) > 5)
    }

    // MARK: Concurrency

    @Test func `no concurrent change is lost`() throws {
        try folder.file("users.json", "{\"users\":[]}")
        let file = file
        let rounds = 10
        inThreads(4) { thread in
            for round in 0..<rounds {
                let id = Int64(thread * rounds + round + 1)
                _ = try? file.update { $0.append(.test(id)) }
            }
        }
        let ids = try file.read().map(\.id.rawValue)
        #expect(ids.sorted() == Array(1...Int64(4 * rounds)))
        // Changes of one thread keep their order.
        for thread in 0..<4 {
            let own = ids.filter { ($0 - 1) / Int64(rounds) == thread }
            #expect(own == own.sorted())
        }
    }

    @Test func `a reader never sees an incomplete file while it is changed`() throws {
        try make([Self.alice])
        let file = file
        let isDone = Monitor(false)
        let writer = TestThread {
            for round in 0..<40 {
                _ = try? file.update { users in
                    users = (0..<(round % 7 + 1)).map { .test(Int64($0) + 1) }
                }
            }
            isDone.withLock { $0 = true }
        }
        var counts: Set<Int> = []
        repeat { counts.insert(try file.read().count) } while !isDone.withLock { $0 }
        writer.join()
        #expect(counts.isSubset(of: Set(1...7)))
    }

    @Test func `a new hash replaces only the one that was verified`() throws {
        let (old, new, other) = (Self.hash("old"), Self.hash("new"), Self.hash("other"))
        try make([.test(1, password: old), Self.bob])
        #expect(try file.replace(old, by: new, of: UserID(1)!))
        #expect(try file.read() == [.test(1, password: new), Self.bob])
        // The password was changed, the user removed, or the hash removed in the meantime.
        #expect(try !file.replace(old, by: other, of: UserID(1)!))
        #expect(try !file.replace(new, by: other, of: UserID(2)!))
        #expect(try !file.replace(new, by: other, of: UserID(3)!))
        #expect(try file.read() == [.test(1, password: new), Self.bob])
    }

    @Test func `one of many concurrent upgrades of a hash succeeds`() throws {
        let old = Self.hash("old")
        try make([.test(1, password: old)])
        let newHashes = (0..<4).map { Self.hash("new \($0)") }
        let winners = Monitor<[Int]>([])
        let file = file
        inThreads(4) { thread in
            while true {
                do throws(UsersFileError) {
                    if try file.replace(old, by: newHashes[thread], of: UserID(1)!) {
                        winners.withLock { $0.append(thread) }
                    }
                    return
                } catch {
                    guard error == .inUse else { return }
                }
            }
        }
        let winner = try #require(winners.withLock { $0.count == 1 ? $0.first : nil })
        #expect(try file.read().map(\.password) == [newHashes[winner]])
    }

    @Test func `an upgrade does not wait while the file is being changed`() throws {
        let old = Self.hash("old")
        try make([.test(1, password: old)])
        var error: UsersFileError?
        try file.update { _ in
            do throws(UsersFileError) {
                _ = try file.replace(old, by: old, of: UserID(1)!)
            } catch let thrown {
                error = thrown
            }
        }
        #expect(error == .inUse)
        #expect(try !file.replace(Self.hash("x"), by: old, of: UserID(1)!))
    }

    // MARK: Hostile input

    @Test(arguments: 1...4)
    func `a mutated file is read or refused, never a trap`(seed: UInt64) throws {
        try make([Self.alice, Self.bob, Self.largest])
        let text = Array(try folder.content("users.json").utf8)
        let interesting = Array("{}[]\",:\\u$=+.-0129 \n".utf8) + [0, 0x80, 0xc3, 0xff]
        var generator = SeededGenerator(seed: seed)
        var accepted = 0
        let rounds = 2000
        for _ in 0..<rounds {
            var bytes = text
            for _ in 0..<Int.random(in: 1...2, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                let byte = interesting.randomElement(using: &generator)!
                switch Int.random(in: 0..<6, using: &generator) {
                case 0: bytes[index] = byte
                case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 2: bytes.insert(byte, at: index)
                case 3: bytes.remove(at: index)
                case 4:
                    let end = Int.random(in: index...bytes.count, using: &generator)
                    bytes.insert(contentsOf: Array(bytes[index..<end]), at: index)
                default: bytes.removeSubrange(index...)
                }
                if bytes.isEmpty { break }
            }
            do throws(UsersFileError) {
                let users = try UsersFileReader.users(in: bytes).users
                accepted += 1
                // The result is valid input for a directory.
                #expect(UserDirectory(users).all.count == users.count)
            } catch {
                let hash = try #require(Self.alice.password?.text.split(separator: "$").last)
                let messages = error.messages("users.json").joined()
                #expect(!messages.contains(hash))
                #expect(!messages.isEmpty)
            }
        }
        #expect((20...(rounds - 20)).contains(accepted))
    }
}
