import Glibc
import POSIX
import TestSupport
import Testing

struct FileDescriptorTests {
    // High numbers, which no other test gets at the same time.
    @Test func `a descriptor is open while it has an owner, and closed with the last one`() throws {
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

    @Test func `bytes written before a pipe is closed can still be read`() throws {
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

    @Test func `descriptors are closed when another program is executed`() throws {
        let file = try FileDescriptor.open("/dev/null", O_RDONLY)
        let pipe = try Pipe()
        for number in [file.rawValue, pipe.readingEnd.rawValue, pipe.writingEnd.rawValue] {
            #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        }
    }

    @Test func `opening a missing file throws the error of the system call`() throws {
        let folder = try TemporaryFolder()
        func open(_ path: String) throws -> CInt {
            try FileDescriptor.open(path, O_RDONLY).rawValue
        }
        #expect(throws: Errno.noSuchFileOrDirectory) { try open(folder.path("a")) }
        try folder.file("b", "")
        #expect(throws: Errno(ENOTDIR)) { try open(folder.path("b/c")) }
    }

    @Test func `a status contains the size, kind and permissions of a file`() throws {
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
