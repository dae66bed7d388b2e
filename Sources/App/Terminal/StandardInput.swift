import Glibc
import POSIX

/// Input of a command that must not be in its arguments, which other users can read.
enum StandardInput {
    enum Failure: Error, Equatable {
        /// It ended before a complete line.
        case nothing
        case tooLong
        case unreadable(Errno)
    }

    static var isTerminal: Bool { isatty(0) == 1 }

    /// Reads one line and returns it without its line end. Reads byte by byte, so that the
    /// following input remains for the next reader.
    /// - Parameter limit: the maximum length in bytes; the rest of a longer line is not read.
    static func line(upTo limit: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var byte: [UInt8] = [0]
        while true {
            let count: Int
            do throws(Errno) {
                var span = byte.mutableSpan
                // Sound: one byte is requested, and the buffer has one byte.
                count = try unsafe span.withUnsafeMutableBytes { byte throws(Errno) in
                    try retryingOnInterrupt { unsafe read(0, byte.baseAddress, 1) }
                }
            } catch {
                throw .unreadable(error)
            }
            if count == 0, bytes.isEmpty { throw .nothing }
            if count == 0 || byte[0] == UInt8(ascii: "\n") { break }
            guard bytes.count < limit else { throw .tooLong }
            bytes.append(byte[0])
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw .nothing }
        return bytes
    }

    /// Prints a prompt on standard error, because standard output may be a file.
    static func show(_ text: String) {
        let bytes = Array(text.utf8)
        _ = try? writeOnce(2, bytes.span)
    }
}

/// Reads a token from one line of standard input, never from an argument.
enum TokenPrompt {
    /// Bytes; more than the head of any request may have.
    private static let longestLine = 1 << 20

    /// The token; nil if there is none, after the reason was printed.
    static func token() -> [UInt8]? {
        do throws(PasswordPrompt.Failure) {
            guard StandardInput.isTerminal else { return try read() }
            let echo = try TerminalEcho.off()
            defer { echo.restore() }
            StandardInput.show("Token: ")
            let token = try read()
            StandardInput.show("\n")
            return token
        } catch {
            GatehouseCommand.printError(
                error == .tooLong
                    ? "standard input: a line of more than 1 MiB is not a token"
                    : "standard input: no token; pass it alone on one line, as in "
                        + "`gatehouse token explain < token.txt`")
            return nil
        }
    }

    private static func read() throws(PasswordPrompt.Failure) -> [UInt8]? {
        let line: [UInt8]
        do throws(StandardInput.Failure) {
            line = try StandardInput.line(upTo: longestLine)
        } catch {
            throw PasswordPrompt.Failure(error)
        }
        // White space around a field's value is not part of it (RFC 9110 §5.5).
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let token = Array(line.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
        if token.isEmpty { throw .nothing }
        let start = String(decoding: token.prefix(14), as: UTF8.self).lowercased()
        if start.hasPrefix("bearer ") || start.hasPrefix("authorization:") {
            GatehouseCommand.printError(
                "standard input: pass the token alone, without `Authorization` and `Bearer`")
            return nil
        }
        return token
    }

    /// Whether an argument may be a token or a part of one, which every user of the machine could
    /// read there: a header in base64url begins with `eyJ`, and a token has two dots.
    static func looksLikeToken(_ argument: String) -> Bool {
        argument.contains("eyJ") || argument.utf8.count { $0 == UInt8(ascii: ".") } >= 2
    }

    static let refusal =
        "this looks like a token, and every user of this machine can read arguments; "
        + "pass it on standard input"
}
