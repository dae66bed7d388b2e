import Glibc
import POSIX
import Testing

struct SystemCallTests {
    @Test func `a system call is repeated while a signal interrupts it`() throws {
        var calls = 0
        let result = try retryingOnInterrupt {
            calls += 1
            if calls < 4 { errno = EINTR }
            return calls < 4 ? -1 : 7
        }
        #expect(result == 7)
        #expect(calls == 4)
    }

    @Test func `a system call that fails for another reason is made once and reports the error`() {
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

    @Test(arguments: [0, 1, -2, .max])
    func `a system call that succeeds does not report errno`(result: Int) throws {
        errno = EIO
        #expect(try retryingOnInterrupt { result } == result)
    }

    @Test(
        arguments: [
            (.noSpace, "No space left on device"),
            (.noSuchFileOrDirectory, "No such file or directory"),
            (.permissionDenied, "Permission denied"), (.ioError, "Input/output error"),
            (.wouldBlock, "Resource temporarily unavailable"), (.fileExists, "File exists"),
            (.tooManyOpenFiles, "Too many open files"), (.addressInUse, "Address already in use"),
            (Errno(9999), "Unknown error 9999"),
        ] as [(Errno, String)])
    func `an error is described by the system's message`(error: Errno, message: String) {
        #expect(error.description == message)
    }
}
