import Foundation
import Glibc
import TestSupport
import Testing

@testable import POSIX

struct ServiceFolderTests {
    private let folder = try! TemporaryFolder()

    private func faults(_ path: String, account: uid_t = geteuid()) throws -> [PathFault] {
        try TrustedFile(reading: folder.path(path), upTo: 100, account: account).faults
    }

    private func make(_ name: String, mode: mode_t = 0o755) {
        #expect(mkdir(folder.path(name), 0o700) == 0)
        #expect(chmod(folder.path(name), mode) == 0)
    }

    // MARK: Trust

    @Test func `a folder that only its owner can change has no faults`() throws {
        make("a")
        try folder.file("a/file", "content")
        let file = try TrustedFile(reading: folder.path("a/file"), upTo: 100)
        #expect(file.faults == [])
        #expect(file.bytes == Array("content".utf8))
    }

    @Test(
        arguments: [
            (0o775, "its group", "0775"), (0o757, "others", "0757"), (0o777, "others", "0777"),
            (0o2775, "its group", "2775"),
        ] as [(mode_t, String, String)])
    func `a folder that others can change is reported with the command that fixes it`(
        mode: mode_t, who: String, digits: String
    ) throws {
        make("a", mode: mode)
        make("a/b")
        try folder.file("a/b/file", "content")
        let path = folder.path("a")
        #expect(
            try faults("a/b/file").map(\.message) == [
                "the folder \(path) can be changed by \(who) (mode \(digits)); chmod go-w \(path)"
            ])
    }

    @Test func `a sticky folder may be writable by others, but its files may not`() throws {
        make("a", mode: 0o1777)
        try folder.file("a/file", "content")
        #expect(try faults("a/file") == [])
        #expect(chmod(folder.path("a/file"), 0o622) == 0)
        #expect(try faults("a/file").map(\.kind) == [.file])
    }

    @Test(.enabled(if: geteuid() == 0))
    func `folders, files and links of another account are reported`() throws {
        make("a")
        try folder.file("a/file", "content")
        #expect(symlink("a/file", folder.path("link")) == 0)
        #expect(try faults("link") == [])
        for (name, kind) in [
            ("a", PathFault.Kind.folder), ("a/file", .file), ("link", .link),
        ] {
            #expect(lchown(folder.path(name), 65_534, 65_534) == 0)
            #expect(try faults("link").map(\.kind) == [kind])
            // The account itself may own them.
            #expect(try faults("link", account: 65_534) == [])
            #expect(lchown(folder.path(name), 0, 0) == 0)
        }
    }

    // MARK: Links

    @Test func `a file is read through symbolic links, as a container's secrets are`() throws {
        make("..2026")
        try folder.file("..2026/token.key", "secret")
        #expect(symlink("..2026", folder.path("..data")) == 0)
        #expect(symlink("..data/token.key", folder.path("token.key")) == 0)
        let file = try TrustedFile(reading: folder.path("token.key"), upTo: 100)
        #expect(file.bytes == Array("secret".utf8))
        #expect(file.faults == [])
        #expect(chmod(folder.path("..2026"), 0o777) == 0)
        #expect(try faults("token.key").map(\.path) == [folder.path("..2026")])
    }

    @Test func `a cycle of links and a dangling link are refused`() throws {
        #expect(symlink("b", folder.path("a")) == 0)
        #expect(symlink("a", folder.path("b")) == 0)
        #expect(symlink("nowhere", folder.path("c")) == 0)
        #expect(throws: TrustedFile.Failure.failed(.tooManySymbolicLinkLevels)) { try faults("a") }
        #expect(throws: TrustedFile.Failure.failed(.tooManySymbolicLinkLevels)) {
            try faults("a/file")
        }
        #expect(throws: TrustedFile.Failure.failed(.noSuchFileOrDirectory)) { try faults("c") }
        #expect(throws: TrustedFile.Failure.failed(.noSuchFileOrDirectory)) {
            try TrustedFile(reading: "", upTo: 1)
        }
    }

    @Test func `a symbolic link as the last component is never followed for writing`() throws {
        try folder.file("victim", "as it was")
        #expect(symlink("victim", folder.path("link")) == 0)
        let files = SystemFileSystem()
        for flags in [O_RDONLY, O_WRONLY, O_WRONLY | O_CREAT, O_RDWR | O_CREAT | O_TRUNC] {
            #expect(throws: Errno.tooManySymbolicLinkLevels) {
                _ = try files.open(folder.path("link"), flags, mode: 0o600)
            }
        }
        #expect(try folder.content("victim") == "as it was")
    }

    @Test(.enabled(if: geteuid() == 0))
    func `a file is not written through a symbolic link of another account`() throws {
        make("a")
        try folder.file("a/file", "")
        #expect(symlink("a", folder.path("link")) == 0)
        let files = SystemFileSystem()
        _ = try files.open(folder.path("link/file"), O_WRONLY, mode: 0)
        #expect(lchown(folder.path("link"), 65_534, 65_534) == 0)
        #expect(throws: Errno.foreignLink) {
            _ = try files.open(folder.path("link/file"), O_WRONLY, mode: 0)
        }
    }

    // MARK: Files

    @Test(.enabled(if: geteuid() == 0))
    func `a file of another account or with a foreign hard link is not written`()
        throws
    {
        make("a", mode: 0o1777)
        try folder.file("a/file", "as it was")
        #expect(chown(folder.path("a/file"), 65_534, 65_534) == 0)
        let files = SystemFileSystem()
        #expect(throws: Errno.foreignFile) {
            _ = try files.open(folder.path("a/file"), O_WRONLY | O_CREAT, mode: 0)
        }
        try folder.file("own", "as it was")
        #expect(link(folder.path("own"), folder.path("a/hard")) == 0)
        #expect(throws: Errno.foreignFile) {
            _ = try files.open(folder.path("a/hard"), O_WRONLY | O_APPEND, mode: 0)
        }
        // In this folder only this account can have created the link.
        _ = try files.open(folder.path("own"), O_WRONLY | O_APPEND, mode: 0)
        #expect(Errno.foreignFile.description.contains("hard link"))
    }

    @Test func `special files and folders are not opened as trusted files`() throws {
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        #expect(throws: TrustedFile.Failure.notRegular) { try faults("pipe") }
        #expect(throws: TrustedFile.Failure.notRegular) {
            try TrustedFile(reading: "/dev/null", upTo: 1)
        }
        #expect(throws: TrustedFile.Failure.failed(.isDirectory)) {
            try TrustedFile(reading: folder.path, upTo: 1)
        }
        try folder.file("large", "12345")
        #expect(throws: TrustedFile.Failure.tooLarge) {
            try TrustedFile(reading: folder.path("large"), upTo: 4)
        }
        #expect(throws: TrustedFile.Failure.failed(.notDirectory)) { try faults("large/") }
        #expect(throws: TrustedFile.Failure.failed(.invalidArgument)) { try faults("large\0x") }
    }

    @Test func `an obstacle to writing is reported without creating a file`() throws {
        #expect(try ServiceFolder.open(folder.path).writeError == nil)
        #expect(try ServiceFolder.open("/proc").writeError != nil)
        #expect(try ServiceFolder.open("/sys").writeError != nil)
        #expect(folder.allNames == [])
        #expect(try ServiceFolder.deepestExisting(folder.path("a/b/c")).path == folder.path)
    }

    @Test func `an account without a name is described by its number`() {
        #expect(Account(0).name == "root")
        #expect(Account(0).description == "root (uid 0)")
        #expect(Account(4_000_000_001).description == "uid 4000000001")
        #expect(Account(4_000_000_001).group == 4_000_000_001)
    }
}
