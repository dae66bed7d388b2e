import POSIX
import Server
import Time

/// The client side of the admin API: one request over the server's Unix domain socket, and one
/// response. Both ends are this program, so it accepts only the format that the server writes: a
/// status line, fields and a Content-Length. Everything else is malformed. Size and time are
/// limited.
package struct AdminClient: Sendable {
    package struct Answer: Sendable, Equatable {
        package let status: Int
        package let body: [UInt8]
    }

    package enum Failure: Error, Equatable {
        /// No server listens at the path: the file does not exist, or its server is dead.
        case notRunning(path: String)
        /// The server belongs to another user.
        case notPermitted(path: String)
        case timedOut(path: String)
        /// Not a response as this program's server sends it.
        case malformedResponse(path: String)
        /// The path is too long for a socket address.
        case pathTooLong(path: String)
        case failed(path: String, Errno)

        /// The message for the operator.
        package var description: String {
            switch self {
            case .notRunning(let path):
                "\(path): no server is running; start it, or give its configuration with --config"
            case .notPermitted(let path):
                "\(path): not permitted to connect; run this command as the server's user"
            case .timedOut(let path): "\(path): the server does not respond; see its log"
            case .malformedResponse(let path):
                "\(path): not a response of a gatehouse server; check admin.socket"
            case .pathTooLong(let path):
                "\(path): too long for a socket; use a path of at most "
                    + "\(SocketAddress.longestPath) bytes"
            case .failed(let path, let error):
                "\(path): cannot reach the server: \(error.description)"
            }
        }
    }

    private let path: String
    private let timeout: TimeAmount

    /// The maximum length of a complete response in bytes.
    static let maximumLength = 1 << 20
    /// The time limit for the complete exchange.
    package static let usualTimeout = TimeAmount.seconds(10)

    /// - Parameter socket: the path of the server's socket.
    package init(socket path: String, timeout: TimeAmount = usualTimeout) {
        self.path = path
        self.timeout = timeout
    }

    /// Sends a request and waits for the response, whatever its status is.
    /// - Parameters:
    ///   - target: a path, optionally with a query.
    ///   - json: the request body; no body if it is empty.
    /// - Precondition: method and target contain visible ASCII characters only. Text from an
    ///   operator belongs in the body, or must be percent-encoded.
    package func send(
        _ method: StaticString, _ target: String, json: [UInt8] = []
    ) throws(Failure) -> Answer {
        precondition(
            target.hasPrefix("/") && target.utf8.allSatisfy { (0x21...0x7E).contains($0) })
        var request = Array("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n".utf8)
        if !json.isEmpty { request += Array("Content-Type: application/json\r\n".utf8) }
        request += Array("Content-Length: \(json.count)\r\nConnection: close\r\n\r\n".utf8)
        request += json
        let received: [UInt8]
        do throws(Errno) {
            received = try exchange(request)
        } catch {
            throw failure(for: error)
        }
        guard let answer = Answer(received) else { throw .malformedResponse(path: path) }
        return answer
    }

    /// Sends the bytes and receives until the server closes the connection. A response over the
    /// limit is cut off there, and is then not a complete response.
    private func exchange(_ request: [UInt8]) throws(Errno) -> [UInt8] {
        let socket = try ClientSocket(path: ServiceFolder.reachable(path), deadline: .now + timeout)
        do throws(Errno) {
            try socket.send(request.span)
        } catch {
            // The server may have refused the request before it was sent in full; its response says
            // why.
            guard error == .brokenPipe || error == .connectionReset else { throw error }
        }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while received.count <= Self.maximumLength {
            var span = buffer.mutableSpan
            let count: Int
            do throws(Errno) {
                count = try socket.receive(into: &span)
            } catch {
                guard error == .connectionReset else { throw error }
                break
            }
            if count == 0 { break }
            received += buffer[..<count]
        }
        return received
    }

    private func failure(for error: Errno) -> Failure {
        switch error {
        case .noSuchFileOrDirectory, .connectionRefused: .notRunning(path: path)
        case .permissionDenied: .notPermitted(path: path)
        case .timedOut: .timedOut(path: path)
        case .fileNameTooLong: .pathTooLong(path: path)
        default: .failed(path: path, error)
        }
    }
}

extension AdminClient.Answer {
    /// Parses exactly one complete response; nil for anything else.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= AdminClient.maximumLength else { return nil }
        var rest = bytes[...]
        guard let line = Self.takeLine(&rest), let status = Self.status(line) else { return nil }
        var length: Int?
        while true {
            guard let line = Self.takeLine(&rest) else { return nil }
            if line.isEmpty { break }
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else {
                return nil
            }
            let value = line[line.index(after: colon)...]
            switch line[..<colon].lowercased() {
            case "content-length":
                guard length == nil, let number = Self.length(value) else { return nil }
                length = number
            case "transfer-encoding": return nil
            default: break
            }
        }
        // RFC 9110 §8.6: a 204 has no Content-Length; every other response of the server has one.
        guard (status == 204) == (length == nil), rest.count == length ?? 0 else { return nil }
        self.init(status: status, body: Array(rest))
    }

    /// The next line without its line end; nil if the line end is missing or the line contains
    /// bytes outside printable ASCII.
    private static func takeLine(_ bytes: inout ArraySlice<UInt8>) -> String? {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\r")),
            end + 1 < bytes.endIndex, bytes[end + 1] == UInt8(ascii: "\n")
        else { return nil }
        let line = bytes[..<end]
        guard line.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
        bytes = bytes[(end + 2)...]
        return String(decoding: line, as: UTF8.self)
    }

    /// The status in `HTTP/1.1 200 OK`, if it is a final one.
    private static func status(_ line: String) -> Int? {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "HTTP/1.1", parts[1].utf8.count == 3,
            let status = number(parts[1]), (200...599).contains(status)
        else { return nil }
        return status
    }

    private static func length(_ value: Substring) -> Int? {
        let text = value.drop { $0 == " " }
        guard (1...7).contains(text.utf8.count) else { return nil }
        return number(text)
    }

    /// Accepts digits only; `Int` would accept a sign, too.
    private static func number(_ text: Substring) -> Int? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }
}
