import Glibc
import POSIX
import TestSupport
import Testing

struct SystemFileSystemTests {
    let folder: TemporaryFolder
    let files = SystemFileSystem()

    init() throws { folder = try TemporaryFolder() }

    @Test func `names are listed without the folder and its parent`() throws {
        #expect(try files.names(in: folder.path) == [])
        let names = [
            ".hidden", "...", "a b", "é", "line\nend", String(repeating: "x", count: 255),
        ]
        for name in names { try folder.file(name, "") }
        try files.createFolder(folder.path("folder"), mode: 0o700)
        #expect(try Set(files.names(in: folder.path)) == Set(names + ["folder"]))
    }

    @Test func `listing the names of a missing folder or of a file throws`() throws {
        #expect(throws: Errno.noSuchFileOrDirectory) { try files.names(in: folder.path("a")) }
        try folder.file("b", "")
        #expect(throws: Errno(ENOTDIR)) { try files.names(in: folder.path("b")) }
    }

    @Test func `files are written, truncated, renamed and removed`() throws {
        do {
            let file = try files.open(folder.path("a"), O_WRONLY | O_CREAT, mode: 0o600)
            #expect(try files.write([104, 101, 108, 108, 111].span, to: file) == 5)
            #expect(try folder.content("a") == "hello")
            try files.truncate(file, to: 4)
            #expect(try folder.content("a") == "hell")
        }
        try folder.file("b", "old")
        try files.rename(folder.path("a"), to: folder.path("b"))
        #expect(folder.names == ["b"])
        #expect(try folder.content("b") == "hell")
        try files.remove(folder.path("b"))
        #expect(folder.names == [])
    }

    @Test func `each file operation throws the error of its system call`() throws {
        let path = folder.path("a")
        #expect(throws: Errno.noSuchFileOrDirectory) { try files.remove(path) }
        #expect(throws: Errno.noSuchFileOrDirectory) {
            try files.rename(path, to: folder.path("b"))
        }
        #expect(throws: Errno.fileExists) { try files.createFolder(folder.path, mode: 0o700) }
        #expect(throws: Errno.noSuchFileOrDirectory) {
            _ = try files.open(path, O_WRONLY, mode: 0).rawValue
        }
        try folder.file("a", "")
        #expect(throws: Errno.fileExists) {
            _ = try files.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).rawValue
        }
        #expect(throws: Errno(EBADF)) {
            let file = try files.open(path, O_RDONLY, mode: 0)
            _ = try files.write([1].span, to: file)
        }
        #expect(throws: Errno(EINVAL)) {
            try files.truncate(try files.open(path, O_RDONLY, mode: 0), to: 0)
        }
    }
}
