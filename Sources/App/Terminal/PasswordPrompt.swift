import Glibc
import POSIX

/// Reads a new password: twice from a terminal with the echo off, or as one line of standard input
/// that is not a terminal. Arguments and environment variables are not an option, because other
/// users can read them.
enum PasswordPrompt {
    enum Failure: Error, Equatable {
        /// Standard input ended before a complete line.
        case nothing
        case tooLong
        case notUTF8
        /// The two passwords are not the same.
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
                "password: none was given; type it at the prompt, or pass one line on standard "
                    + "input"
            case .tooLong: "the password is too long; at most 1,024 bytes are accepted"
            case .notUTF8: "the password is not UTF-8"
            case .different: "the passwords are not the same; nothing was changed"
            case .unreadable(let error): "standard input cannot be read: \(error.description)"
            }
        }
    }

    /// - Parameter user: the name of the user in the prompt.
    static func newPassword(for user: String) throws(Failure) -> String {
        guard StandardInput.isTerminal else { return try line() }
        let echo = try TerminalEcho.off()
        defer { echo.restore() }
        StandardInput.show("New password for \(user): ")
        let first = try line()
        StandardInput.show("\nAgain: ")
        let second = try line()
        StandardInput.show("\n")
        // Compared byte by byte: `==` on strings would accept canonical equivalents.
        guard first.utf8.elementsEqual(second.utf8) else { throw .different }
        return first
    }

    private static func line() throws(Failure) -> String {
        let bytes: [UInt8]
        do throws(StandardInput.Failure) {
            // The length limit applies to the normalized password; this limit bounds endless input.
            bytes = try StandardInput.line(upTo: longestLine)
        } catch {
            throw Failure(error)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    private static let longestLine = 16 * 1024
}

/// Switches the terminal's echo off until it is restored; a signal that ends the program restores
/// it, too.
struct TerminalEcho {
    private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    static func off() throws(PasswordPrompt.Failure) -> TerminalEcho {
        var settings = termios()
        // Sound: the call fills in a local structure, which is copied to memory for one such
        // structure. No handler that reads it is installed yet.
        guard unsafe tcgetattr(0, &settings) == 0 else { throw .unreadable(Errno(errno)) }
        unsafe terminalSettings.initialize(to: settings)
        for number in signals {
            // Sound: the handler calls only functions that are allowed in one (signal-safety(7)),
            // and what it reads was written before.
            _ = signal(number) { number in
                _ = unsafe tcsetattr(0, TCSANOW, terminalSettings)
                _ = signal(number, SIG_DFL)
                raise(number)
            }
        }
        // A shell that suspends and resumes the process would switch the echo on.
        _ = signal(SIGTSTP, SIG_IGN)
        settings.c_lflag &= ~tcflag_t(ECHO)
        guard unsafe tcsetattr(0, TCSAFLUSH, &settings) == 0 else {
            throw .unreadable(Errno(errno))
        }
        return TerminalEcho()
    }

    func restore() {
        // Sound: only `off` creates a `TerminalEcho`, and it has written the memory that is read
        // here.
        _ = unsafe tcsetattr(0, TCSANOW, terminalSettings)
        for number in Self.signals + [SIGTSTP] { _ = signal(number, SIG_DFL) }
    }
}

/// The terminal's original settings. Sound: they are written before the handlers that read them are
/// installed, and the program shows one prompt at a time. Allocated, because the compiler makes a
/// global variable of this type three bytes shorter than what is written into it.
nonisolated(unsafe) private let terminalSettings = UnsafeMutablePointer<termios>.allocate(
    capacity: 1)
