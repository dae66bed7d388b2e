import Glibc
import POSIX

/// A pseudoterminal for tests of interactive commands.
final class Terminal {
    private let master: CInt
    let path: String
    /// Kept open so that the terminal keeps its settings after a program closes it.
    private let slave: CInt

    init() throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        // From <asm-generic/ioctls.h>: TIOCSPTLCK unlocks the slave, TIOCGPTN returns its number.
        var (locked, number): (CInt, CUnsignedInt) = (0, 0)
        guard master >= 0, ioctl(master, 0x4004_5431, &locked) == 0,
            ioctl(master, 0x8004_5430, &number) == 0
        else { throw Errno(errno) }
        path = "/dev/pts/\(number)"
        slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard slave >= 0 else { throw Errno(errno) }
    }

    deinit {
        close(slave)
        close(master)
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(master, bytes, bytes.count)
    }

    var hasEcho: Bool {
        var settings = termios()
        return tcgetattr(slave, &settings) == 0 && settings.c_lflag & tcflag_t(ECHO) != 0
    }

    /// The output that programs have written to the terminal.
    var shown: String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(master, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
