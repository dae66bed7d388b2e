import Glibc
import POSIX
import TestSupport
import Testing

@Suite("A system call")
struct SystemCallTests {
    @Test("is made again for as long as a signal interrupts it")
    func interrupted() throws {
        var calls = 0
        let result = try retryingOnInterrupt {
            calls += 1
            if calls < 4 { errno = EINTR }
            return calls < 4 ? -1 : 7
        }
        #expect(result == 7)
        #expect(calls == 4)
    }

    @Test("that fails for another reason is made once, and says why")
    func failed() {
        var calls = 0
        #expect(throws: Errno.noSpace) {
            try retryingOnInterrupt {
                calls += 1
                errno = ENOSPC
                return -1
            }
        }
        #expect(calls == 1)
    }

    @Test("that succeeds is not asked for its error", arguments: [0, 1, -2, .max])
    func succeeded(result: Int) throws {
        errno = EIO
        #expect(try retryingOnInterrupt { result } == result)
    }

    @Test(
        "fails in the system's words",
        arguments: [
            (.noSpace, "No space left on device"),
            (.noSuchFileOrDirectory, "No such file or directory"),
            (.permissionDenied, "Permission denied"), (.ioError, "Input/output error"),
            (.wouldBlock, "Resource temporarily unavailable"), (.fileExists, "File exists"),
            (.tooManyOpenFiles, "Too many open files"), (.addressInUse, "Address already in use"),
            (Errno(9999), "Unknown error 9999"),
        ] as [(Errno, String)])
    func words(error: Errno, words: String) {
        #expect(error.description == words)
    }
}

@Suite("A process")
struct ProcessTests {
    @Test("knows what it was started with, also where Swift does not")
    func arguments() throws {
        #expect(try processArguments() == CommandLine.arguments)
    }
}

@Suite("A descriptor")
struct FileDescriptorTests {
    // High numbers, which no other test gets meanwhile.
    @Test("is open as long as it has an owner, and closed when that lets go")
    func owner() throws {
        let number = fcntl(2, F_DUPFD_CLOEXEC, 700)
        #expect(number >= 700)
        func isOpen() -> Bool { fcntl(number, F_GETFD) != -1 }
        func pass(_ file: consuming FileDescriptor) -> FileDescriptor { file }
        do {
            let file = FileDescriptor(owning: number)
            #expect(isOpen())
            let moved = pass(file)
            #expect(isOpen())
            #expect(moved.rawValue == number)
        }
        #expect(!isOpen())
    }

    @Test("of a pipe's one end tells the other when it is closed")
    func endOfPipe() throws {
        let pipe = try Pipe()
        let number = fcntl(pipe.writingEnd.rawValue, F_DUPFD_CLOEXEC, 720)
        var buffer: [UInt8] = [0]
        func read(_ end: borrowing FileDescriptor) throws -> Int {
            var span = buffer.mutableSpan
            return try end.read(into: &span)
        }
        do {
            let writer = FileDescriptor(owning: number)
            #expect(try writer.write([65].span) == 1)
        }
        #expect(try read(pipe.readingEnd) == 1)
        #expect(buffer == [65])
    }

    @Test("is not handed on to another program")
    func closesOnExec() throws {
        let file = try FileDescriptor.open("/dev/null", O_RDONLY)
        let pipe = try Pipe()
        for number in [file.rawValue, pipe.readingEnd.rawValue, pipe.writingEnd.rawValue] {
            #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        }
    }

    @Test("of a file that is not there cannot be had")
    func notThere() throws {
        let folder = try TemporaryFolder()
        func open(_ path: String) throws -> CInt {
            try FileDescriptor.open(path, O_RDONLY).rawValue
        }
        #expect(throws: Errno.noSuchFileOrDirectory) { try open(folder.path("a")) }
        try folder.file("b", "")
        #expect(throws: Errno(ENOTDIR)) { try open(folder.path("b/c")) }
    }

    @Test("knows its file's size, kind and permissions")
    func status() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a", "hello", mode: 0o640)
        let status = try FileDescriptor.open(path, O_RDONLY).status()
        #expect(status.size == 5)
        #expect(status.isRegularFile)
        #expect(status.mode & 0o777 == 0o640)
        #expect(!status.isReadableByOthers)
        let same = try FileStatus(path: path)
        #expect(same.inode == status.inode && same.device == status.device)
        #expect(try !FileStatus(path: folder.path).isRegularFile)
        #expect(try FileStatus(path: folder.file("b", "", mode: 0o604)).isReadableByOthers)
        #expect(throws: Errno.noSuchFileOrDirectory) {
            _ = try FileStatus(path: folder.path("c")).size
        }
    }
}

@Suite("A pipe")
struct PipeTests {
    @Test("never blocks who reads it empty or writes it full")
    func nonBlocking() throws {
        let pipe = try Pipe()
        var buffer = [UInt8](repeating: 0, count: 4096)
        func read() throws(Errno) -> Int {
            var span = buffer.mutableSpan
            return try pipe.readingEnd.read(into: &span)
        }
        #expect(throws: Errno.wouldBlock) { try read() }
        var written = 0
        do throws(Errno) {
            let block = [UInt8](repeating: 66, count: 4096)
            while written < 1 << 30 { written += try pipe.writingEnd.write(block.span) }
        } catch {
            #expect(error == .wouldBlock)
        }
        var count = 0
        while count < written { count += try read() }
        #expect(count == written)
        #expect(buffer.allSatisfy { $0 == 66 })
        #expect(throws: Errno.wouldBlock) { try read() }
    }

    @Test("carries bytes from somebody who only knows its number")
    func writeByNumber() throws {
        let pipe = try Pipe()
        #expect(try writeOnce(pipe.writingEnd.rawValue, [1, 2, 3].span) == 3)
        #expect(try writeOnce(pipe.writingEnd.rawValue, [UInt8]().span) == 0)
        var buffer = [UInt8](repeating: 0, count: 10)
        var span = buffer.mutableSpan
        #expect(try pipe.readingEnd.read(into: &span) == 3)
        #expect(buffer.prefix(4) == [1, 2, 3, 0])
        #expect(throws: Errno(EBADF)) { try writeOnce(-1, [1].span) }
    }
}

@Suite("A lock")
struct LockedTests {
    @Test("lets one thread at a time change what it guards")
    func counter() {
        let counter = Monitor(0)
        inThreads(8) { _ in
            for _ in 0..<10_000 { counter.withLock { $0 += 1 } }
        }
        #expect(counter.withLock { $0 } == 80_000)
    }

    @Test("gives back what its body returns")
    func result() {
        let list = Monitor([1])
        #expect(list.withLock { $0.removeLast() } == 1)
        #expect(list.withLock { $0.isEmpty })
    }

    @Test("wakes those who wait for a value, in whatever order it comes")
    func turns() {
        let said = Monitor<[Int]>([])
        inThreads(8) { thread in
            for round in 0..<100 {
                let turn = round * 8 + thread
                said.waitUntil({ $0.count == turn }) { $0.append(turn) }
                said.wakeAll()
            }
        }
        #expect(said.withLock { $0 } == Array(0..<800))
    }

    @Test("does not wait for what is so already")
    func ready() {
        #expect(Monitor(3).waitUntil({ $0 == 3 }, then: { $0 * 2 }) == 6)
    }
}

@Suite("The system's files")
struct SystemFileSystemTests {
    let folder: TemporaryFolder
    let files = SystemFileSystem()

    init() throws { folder = try TemporaryFolder() }

    @Test("are listed by their names, without the folder and its parent")
    func names() throws {
        #expect(try files.names(in: folder.path) == [])
        let names = [
            ".hidden", "...", "a b", "é", "line\nend", String(repeating: "x", count: 255),
        ]
        for name in names { try folder.file(name, "") }
        try files.createFolder(folder.path("folder"), mode: 0o700)
        #expect(try Set(files.names(in: folder.path)) == Set(names + ["folder"]))
    }

    @Test("are not listed where there is no folder")
    func noFolder() throws {
        #expect(throws: Errno.noSuchFileOrDirectory) { try files.names(in: folder.path("a")) }
        try folder.file("b", "")
        #expect(throws: Errno(ENOTDIR)) { try files.names(in: folder.path("b")) }
    }

    @Test("are written, cut, renamed and removed")
    func life() throws {
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

    @Test("say why they cannot")
    func errors() throws {
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

@Suite("Bytes")
struct BytesTests {
    @Test("are appended as they are", arguments: [[], [1], [0, 255, 10]] as [[UInt8]])
    func append(bytes: [UInt8]) {
        var all: [UInt8] = [7]
        all.append(copying: bytes.span)
        #expect(all == [7] + bytes)
    }
}
