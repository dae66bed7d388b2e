import Glibc
import POSIX

/// What a command is told behind its arguments, which others can see.
enum StandardInput {
    enum Failure: Error, Equatable {
        /// It ended before a line did.
        case nothing
        case tooLong
        case unreadable(Errno)
    }

    static var isTerminal: Bool { isatty(0) == 1 }

    /// A line, without its end; byte by byte, so that what follows it is left for whoever comes next.
    /// - Parameter limit: bytes; a longer line is not read to its end.
    static func line(upTo limit: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var byte: [UInt8] = [0]
        while true {
            let count: Int
            do throws(Errno) {
                var span = byte.mutableSpan
                // Sound: one byte is asked for, and there is room for one.
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

    /// Not on standard output, which may go to a file.
    static func show(_ text: String) {
        let bytes = Array(text.utf8)
        _ = try? writeOnce(2, bytes.span)
    }
}

/// A token that somebody hands to a command: a line of standard input, never an argument.
enum TokenPrompt {
    /// More than any request may have in its head.
    private static let longestLine = 1 << 20

    /// The token; or nil, after saying what is wrong.
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
                    ? "a line of more than a mebibyte is no token"
                    : "no token came; give it alone on one line of standard input, as in "
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
                "write the token alone, without `Authorization` and `Bearer`")
            return nil
        }
        return token
    }

    /// Whether an argument is a token, or a part of one, that everybody on the machine could read there:
    /// a header in base64url begins with `eyJ`, and a token has two dots.
    static func looksLikeToken(_ argument: String) -> Bool {
        argument.contains("eyJ") || argument.utf8.count { $0 == UInt8(ascii: ".") } >= 2
    }

    static let refusal =
        "that looks like a token, and everybody on this machine can read arguments; "
        + "give it as a line of standard input"
}
