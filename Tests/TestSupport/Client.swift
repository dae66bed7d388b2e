import Foundation
import Glibc

/// A client for raw bytes, over TCP or a Unix domain socket. The test decides what is sent, in
/// which pieces and when. Blocks the calling thread, but never longer than `timeout`.
package final class Client {
    package enum Failure: Error, Equatable {
        case notAnAddress
        /// A system call failed with this error number.
        case system(CInt)
        /// The server reset the connection.
        case reset
        /// The connection ended within or before a response.
        case ended(after: String)
        case timedOut(after: String)
    }

    /// The timeout of every wait, in milliseconds.
    private static let timeout = CInt(TestScale.timeout * 1000)

    private var descriptor: CInt
    /// Received bytes that were not returned yet.
    private var received: [UInt8] = []
    private var hasEnded = false

    /// - Parameters:
    ///   - receiveBuffer: the size of the kernel's receive buffer, in bytes.
    ///   - source: the local IPv4 address to bind.
    package init(
        _ host: String = "127.0.0.1", port: UInt16, receiveBuffer: CInt? = nil,
        from source: String? = nil
    ) throws(Failure) {
        let isIPv6 = host.contains(":")
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, type, 0)
        guard descriptor >= 0 else { throw .system(errno) }
        set(SOL_SOCKET, SO_RCVBUF, receiveBuffer)
        set(CInt(IPPROTO_TCP), TCP_NODELAY, 1)
        if let source { try bind(to: source) }
        let result: CInt
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else { throw .notAnAddress }
            result = connect(descriptor, to: address)
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { throw .notAnAddress }
            result = connect(descriptor, to: address)
        }
        guard result == 0 else { throw .system(errno) }
    }

    /// - Parameter path: the path of a Unix domain socket.
    package init(socket path: String) throws(Failure) {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .notAnAddress
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw .system(errno) }
        guard connect(descriptor, to: address) == 0 else { throw .system(errno) }
    }

    deinit { close() }

    private func bind(to source: String) throws(Failure) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        guard inet_pton(AF_INET, source, &address.sin_addr) == 1 else { throw .notAnAddress }
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw .system(errno) }
    }

    private func connect<Address>(_ descriptor: CInt, to address: Address) -> CInt {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    private func set(_ level: CInt, _ option: CInt, _ value: CInt?) {
        guard var value else { return }
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
    }

    package var isOpen: Bool { descriptor >= 0 }

    // MARK: Sending

    package func send(_ text: String) throws(Failure) { try send(Array(text.utf8)) }

    /// Sends all bytes. Receives in between, so that the two sides cannot block each other.
    package func send(_ bytes: [UInt8]) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let events = try wait(for: POLLIN | POLLOUT)
            if events & POLLOUT != 0 { sent += try trySend(bytes[sent...]) }
            if events & POLLIN != 0, events & POLLOUT == 0 { try receive() }
        }
    }

    /// Sends as many bytes as the kernel accepts at once.
    /// - Returns: the number of bytes sent.
    package func sendWithoutBlocking(_ text: String) throws(Failure) -> Int {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = try trySend(bytes[sent...])
            if count == 0 { break }
            sent += count
        }
        return sent
    }

    /// Half-closes the connection; receiving still works.
    package func closeWrite() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// Closes the connection with a reset, as a client does that crashes with unread bytes.
    package func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    package func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    private func trySend(_ bytes: ArraySlice<UInt8>) throws(Failure) -> Int {
        let flags = CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, flags)
        }
        if count >= 0 { return count }
        if errno == EAGAIN || errno == EINTR { return 0 }
        throw errno == ECONNRESET || errno == EPIPE ? .reset : .system(errno)
    }

    // MARK: Receiving

    /// Whether anything was received, or is within this time.
    package func hasReceived(within milliseconds: CInt = 0) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return !received.isEmpty || poll(&entry, 1, milliseconds) > 0
    }

    /// Waits for the next complete response; its content has the length of Content-Length.
    /// - Parameter toHead: the request was HEAD, whose response has no content.
    package func response(toHead: Bool = false) throws(Failure) -> ServerResponse {
        while true {
            if let (response, count) = ServerResponse.first(in: received, toHead: toHead) {
                received.removeFirst(count)
                return response
            }
            guard !hasEnded else { throw .ended(after: text) }
            try waitAndReceive()
        }
    }

    /// Everything received up to the end of the connection.
    package func readToEnd() throws(Failure) -> String {
        while !hasEnded { try waitAndReceive() }
        defer { received = [] }
        return text
    }

    /// The number of bytes received up to the end of the connection; the bytes are discarded.
    package func countUntilEnd() throws(Failure) -> Int {
        var count = 0
        while !hasEnded {
            try waitAndReceive()
            count += received.count
            received.removeAll(keepingCapacity: true)
        }
        return count
    }

    private var text: String { String(decoding: received, as: UTF8.self) }

    private func waitAndReceive() throws(Failure) {
        _ = try wait(for: POLLIN)
        try receive()
    }

    private func receive() throws(Failure) {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        if count > 0 {
            received += bytes[..<count]
        } else if count == 0 {
            hasEnded = true
        } else if errno != EAGAIN, errno != EINTR {
            throw errno == ECONNRESET ? .reset : .system(errno)
        }
    }

    private func wait(for events: CInt) throws(Failure) -> CInt {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        guard poll(&entry, 1, Self.timeout) > 0 else { throw .timedOut(after: text) }
        let occurred = CInt(entry.revents)
        // After a reset, report both events: the call that follows gets the error.
        return occurred & (POLLERR | POLLHUP) != 0 ? occurred | events : occurred
    }
}

/// A response as the client received it.
package struct ServerResponse: Sendable, Equatable {
    package let status: Int
    /// The status line and the field lines.
    package let head: String
    package let content: String

    /// The value of the first field with this name, which is compared case-insensitively.
    package subscript(name: String) -> String? {
        for line in head.split(separator: "\r\n").dropFirst() {
            guard let colon = line.firstIndex(of: ":"),
                line[..<colon].lowercased() == name.lowercased()
            else { continue }
            return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        return nil
    }

    /// All responses in `text`, in order.
    package static func all(in text: String) -> [ServerResponse] {
        var rest = Array(text.utf8)
        var responses: [ServerResponse] = []
        while let (response, count) = first(in: rest, toHead: false) {
            responses.append(response)
            rest.removeFirst(count)
        }
        return responses
    }

    static func first(
        in bytes: [UInt8], toHead: Bool
    ) -> (response: ServerResponse, count: Int)? {
        guard let end = headEnd(bytes) else { return nil }
        let head = String(decoding: bytes[..<(end - 2)], as: UTF8.self)
        guard let status = Int(head.dropFirst(9).prefix(3)) else { return nil }
        let empty = ServerResponse(status: status, head: head, content: "")
        let length = empty["Content-Length"].flatMap { Int($0) } ?? 0
        guard !toHead, length > 0 else { return (empty, end) }
        guard bytes.count >= end + length else { return nil }
        let content = String(decoding: bytes[end..<(end + length)], as: UTF8.self)
        return (ServerResponse(status: status, head: head, content: content), end + length)
    }

    /// The index after the empty line that ends the head.
    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 3..<bytes.count
        where bytes[index] == 0x0A && bytes[index - 1] == 0x0D && bytes[index - 2] == 0x0A
            && bytes[index - 3] == 0x0D
        {
            return index + 1
        }
        return nil
    }
}
