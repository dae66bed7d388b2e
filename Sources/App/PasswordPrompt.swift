import Glibc
import POSIX

/// Asks for a new password: twice at a terminal, which shows nothing of it; or takes one line of standard
/// input where that is no terminal. There is no third way: arguments and variables can be seen by others.
enum PasswordPrompt {
    enum Failure: Error, Equatable {
        /// Standard input ended before a line did.
        case nothing
        case tooLong
        case notUTF8
        /// The two were not the same.
        case different
        case unreadable(Errno)

        var sentence: String {
            switch self {
            case .nothing:
                "no password came; type it at the prompt, or give one line on standard input"
            case .tooLong: "the password is too long; at most 1,024 bytes are taken"
            case .notUTF8: "the password is not UTF-8"
            case .different: "the two passwords are not the same; nothing was changed"
            case .unreadable(let error): "standard input cannot be read: \(error.words)"
            }
        }
    }

    /// - Parameter who: as the prompt calls the user.
    static func newPassword(for who: String) throws(Failure) -> String {
        guard isatty(0) == 1 else { return try line() }
        let echo = try Echo.off()
        defer { echo.restore() }
        show("New password for \(who): ")
        let first = try line()
        show("\nAgain: ")
        let second = try line()
        show("\n")
        // As they were typed, byte by byte.
        guard first.utf8.elementsEqual(second.utf8) else { throw .different }
        return first
    }

    /// A line, without its end; byte by byte, so that what follows it is left for whoever comes next.
    private static func line() throws(Failure) -> String {
        var bytes: [UInt8] = []
        var byte: [UInt8] = [0]
        while true {
            let count: Int
            do throws(Errno) {
                var span = byte.mutableSpan
                count = try unsafe span.withUnsafeMutableBytes { byte throws(Errno) in
                    try retryingOnInterrupt { unsafe read(0, byte.baseAddress, 1) }
                }
            } catch {
                throw .unreadable(error)
            }
            if count == 0, bytes.isEmpty { throw .nothing }
            if count == 0 || byte[0] == UInt8(ascii: "\n") { break }
            // The length that counts is that of the normalised password; this is for what has no end.
            guard bytes.count < longestLine else { throw .tooLong }
            bytes.append(byte[0])
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw .nothing }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    private static let longestLine = 16 * 1024

    /// Not on standard output, which may go to a file.
    private static func show(_ text: String) {
        let bytes = Array(text.utf8)
        _ = try? writeOnce(2, bytes.span)
    }
}

/// The terminal's echo, off until it is restored; also where a signal ends the program meanwhile.
private struct Echo {
    private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    static func off() throws(PasswordPrompt.Failure) -> Echo {
        var settings = termios()
        guard unsafe tcgetattr(0, &settings) == 0 else { throw .unreadable(Errno(errno)) }
        unsafe terminalSettings = settings
        for number in signals {
            // Sound: it calls nothing but what a signal handler may (signal-safety(7)), and what it reads
            // was written before.
            _ = signal(number) { number in
                _ = unsafe tcsetattr(0, TCSANOW, &terminalSettings)
                _ = signal(number, SIG_DFL)
                raise(number)
            }
        }
        // Stopped and continued, a shell would leave the echo on.
        _ = signal(SIGTSTP, SIG_IGN)
        settings.c_lflag &= ~tcflag_t(ECHO)
        guard unsafe tcsetattr(0, TCSAFLUSH, &settings) == 0 else {
            throw .unreadable(Errno(errno))
        }
        return Echo()
    }

    func restore() {
        _ = unsafe tcsetattr(0, TCSANOW, &terminalSettings)
        for number in Self.signals + [SIGTSTP] { _ = signal(number, SIG_DFL) }
    }
}

/// As the terminal was. Written before the handlers that read it are there; the program has one prompt at
/// a time.
nonisolated(unsafe) private var terminalSettings = termios()
