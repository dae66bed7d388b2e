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

        init(_ failure: StandardInput.Failure) {
            self =
                switch failure {
                case .nothing: .nothing
                case .tooLong: .tooLong
                case .unreadable(let error): .unreadable(error)
                }
        }

        var description: String {
            switch self {
            case .nothing:
                "no password came; type it at the prompt, or give one line on standard input"
            case .tooLong: "the password is too long; at most 1,024 bytes are taken"
            case .notUTF8: "the password is not UTF-8"
            case .different: "the two passwords are not the same; nothing was changed"
            case .unreadable(let error): "standard input cannot be read: \(error.description)"
            }
        }
    }

    /// - Parameter who: as the prompt calls the user.
    static func newPassword(for who: String) throws(Failure) -> String {
        guard StandardInput.isTerminal else { return try line() }
        let echo = try TerminalEcho.off()
        defer { echo.restore() }
        StandardInput.show("New password for \(who): ")
        let first = try line()
        StandardInput.show("\nAgain: ")
        let second = try line()
        StandardInput.show("\n")
        // As they were typed, byte by byte.
        guard first.utf8.elementsEqual(second.utf8) else { throw .different }
        return first
    }

    private static func line() throws(Failure) -> String {
        let bytes: [UInt8]
        do throws(StandardInput.Failure) {
            // The length that counts is that of the normalised password; this is for what has no end.
            bytes = try StandardInput.line(upTo: longestLine)
        } catch {
            throw Failure(error)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    private static let longestLine = 16 * 1024
}

/// The terminal's echo, off until it is restored; also where a signal ends the program meanwhile.
struct TerminalEcho {
    private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    static func off() throws(PasswordPrompt.Failure) -> TerminalEcho {
        var settings = termios()
        // Sound: the call fills in a structure of ours; what it is copied to is allocated for one,
        // and nobody reads it before the handlers are there.
        guard unsafe tcgetattr(0, &settings) == 0 else { throw .unreadable(Errno(errno)) }
        unsafe terminalSettings.initialize(to: settings)
        for number in signals {
            // Sound: it calls nothing but what a signal handler may (signal-safety(7)), and what it reads
            // was written before.
            _ = signal(number) { number in
                _ = unsafe tcsetattr(0, TCSANOW, terminalSettings)
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
        return TerminalEcho()
    }

    func restore() {
        // Sound: `off`, which alone makes an `Echo`, has written what is read here.
        _ = unsafe tcsetattr(0, TCSANOW, terminalSettings)
        for number in Self.signals + [SIGTSTP] { _ = signal(number, SIG_DFL) }
    }
}

/// As the terminal was. Sound: written before the handlers that read it are there, and the program has
/// one prompt at a time. Allocated, because the compiler makes a global variable of this type three bytes
/// shorter than what is written into it.
nonisolated(unsafe) private let terminalSettings = UnsafeMutablePointer<termios>.allocate(
    capacity: 1)
