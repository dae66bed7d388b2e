import Glibc
import HTTP
import POSIX

/// An address to listen on, or the address of a peer.
package struct SocketAddress: Sendable, Equatable {
    package enum Host: Sendable, Equatable {
        /// Bytes in network order.
        case ipv4([UInt8])
        case ipv6([UInt8])
        /// A Unix domain socket at this path, relative to the working directory if it does not
        /// begin with a slash. It has no port.
        case unix(path: String)
    }

    package let host: Host
    /// 0 for a Unix domain socket.
    package let port: UInt16

    /// Bytes in the path of a Unix domain socket: `sun_path` has 108, and one terminates it.
    package static let longestPath = 107

    package init(host: Host, port: UInt16) {
        self.host = host
        self.port = port
    }

    package static func loopback(port: UInt16) -> SocketAddress {
        SocketAddress(host: .ipv4([127, 0, 0, 1]), port: port)
    }

    package static func unix(path: String) -> SocketAddress {
        SocketAddress(host: .unix(path: path), port: 0)
    }

    /// Nil if the text is not an address.
    /// - Parameter text: An IPv4 or IPv6 address, or `localhost` for 127.0.0.1. No other names: a
    ///   name can have several addresses, and they can change between a check and its use.
    package init?(_ text: String, port: UInt16) {
        // A C string would end at the zero byte.
        guard !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        let text = text == "localhost" ? "127.0.0.1" : text
        // Sound: sixteen bytes are enough for an address of either family.
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 {
            host = .ipv4(Array(bytes[0..<4]))
        } else if unsafe inet_pton(AF_INET6, text, &bytes) == 1 {
            host = .ipv6(bytes)
        } else {
            return nil
        }
        self.port = port
    }

    /// Nil if the text is not an address with a port.
    /// - Parameter text: `127.0.0.1:9090` or `[::1]:9090`.
    package init?(hostAndPort text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        self.init(String(host), port: port)
    }

    /// - Throws: Why no process on this machine can listen on this host, on any port.
    package func checkHost() throws(Errno) {
        try Socket.checkHost(of: self)
    }

    /// - Throws: Why no process can listen on this address now. If a server listens on a path, this
    ///   opens a connection to it, and closes it without a request.
    package func checkUnused() throws(Errno) {
        guard case .unix(let path) = host else { return try Socket.checkUnused(self) }
        try SocketFile.checkUnused(path)
    }

    /// Whether a listener on this host also gets the other's connections on the same port: an
    /// unspecified IPv6 address covers all addresses of the machine, and an unspecified IPv4
    /// address all IPv4 addresses.
    package func covers(_ other: SocketAddress) -> Bool {
        switch (host, other.host) {
        case (.unix, _), (_, .unix): false
        case (.ipv4(let bytes), .ipv4), (.ipv6(let bytes), _): bytes.allSatisfy { $0 == 0 }
        case (.ipv4, .ipv6): false
        }
    }

    /// Whether it can be reached from this machine only.
    package var isLoopback: Bool {
        switch host {
        case .ipv4(let bytes): bytes[0] == 127
        case .ipv6(let bytes): bytes == [UInt8](repeating: 0, count: 15) + [1]
        case .unix: true
        }
    }

    /// The host as in a URL: an IPv6 address is in brackets. For a Unix domain socket this is
    /// `localhost`, by convention.
    package var urlHost: String {
        switch host {
        case .ipv4(let bytes), .ipv6(let bytes):
            bytes.count == 4 ? text(of: bytes) : "[\(text(of: bytes))]"
        case .unix: "localhost"
        }
    }

    /// For messages: `127.0.0.1:8080`, `[::1]:8080`, or the path.
    package var text: String {
        switch host {
        case .ipv4, .ipv6: "\(urlHost):\(port)"
        case .unix(let path): path
        }
    }

    /// Describes for an operator why the server cannot listen on this address.
    package func message(for error: Errno) -> String {
        let reason =
            switch (host, error) {
            case (.unix(let path), .fileNameTooLong):
                "the path of a socket has at most \(Self.longestPath) bytes, and this one has "
                    + "\(path.utf8.count)"
            case (.unix, .notSocket):
                "the file at this path is not a socket; remove it or use another path"
            case (.unix, .noSuchFileOrDirectory): "its folder does not exist"
            case (.unix, .addressInUse): "another server is listening there"
            default: error.description
            }
        return "cannot listen on \(text): \(reason)"
    }

    var family: CInt {
        switch host {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    private func text(of bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        // Sound: the buffer is as large as the longest address, and the text is zero-terminated.
        return unsafe text.withUnsafeMutableBufferPointer { text in
            unsafe inet_ntop(family, bytes, text.baseAddress, socklen_t(text.count))
            return unsafe String(cString: text.baseAddress!)
        }
    }

    /// Checks that the address has a C form.
    /// - Throws: `.invalidArgument` for a path that is empty or contains a zero byte. It would mean
    ///   an address without a file, to which every user may connect. `.fileNameTooLong` for a path
    ///   over `longestPath` bytes.
    func check() throws(Errno) {
        guard case .unix(let path) = host else { return }
        guard !path.isEmpty, !path.utf8.contains(0) else { throw .invalidArgument }
        guard path.utf8.count <= Self.longestPath else { throw .fileNameTooLong }
    }

    /// Calls `body` with the C form.
    /// - Precondition: `check` does not throw.
    func withSocketAddress<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        func rebound<Address>(_ address: Address) -> Result {
            // Sound: every sockaddr_* begins with the members of sockaddr, and is meant to be cast
            // to it.
            unsafe withUnsafePointer(to: address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
                    unsafe body(general, socklen_t(MemoryLayout<Address>.size))
                }
            }
        }
        switch host {
        case .ipv4(let bytes):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            // Sound: both have four bytes.
            unsafe withUnsafeMutableBytes(of: &address.sin_addr) {
                unsafe $0.copyBytes(from: bytes)
            }
            return rebound(address)
        case .ipv6(let bytes):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            // Sound: both have sixteen bytes.
            unsafe withUnsafeMutableBytes(of: &address.sin6_addr) {
                unsafe $0.copyBytes(from: bytes)
            }
            return rebound(address)
        case .unix(let path):
            precondition(path.utf8.count <= Self.longestPath)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            // Sound: the path is shorter than `sun_path`, which is all zeros and so terminates it.
            unsafe withUnsafeMutableBytes(of: &address.sun_path) {
                unsafe $0.copyBytes(from: path.utf8)
            }
            return rebound(address)
        }
    }
}

/// Storage for an address of any family, to be filled in by the kernel.
struct PeerAddress {
    private var storage = sockaddr_storage()

    /// Calls `fill` with the storage and its size.
    mutating func fill<Result>(
        _ fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
    ) -> Result {
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // Sound: sockaddr_storage is meant to be cast to sockaddr, and has the size in `length`.
        return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
                unsafe fill(general, &length)
            }
        }
    }

    /// As an address to listen on; nil for a Unix domain socket without a file, and for other
    /// families.
    var socketAddress: SocketAddress? {
        // Sound: all of the storage is initialized; the kernel leaves the rest zero.
        let bytes = unsafe withUnsafeBytes(of: storage) { unsafe [UInt8]($0) }
        func port(_ offset: Int) -> UInt16 {
            UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
        }
        switch CInt(storage.ss_family) {
        case AF_INET:
            let offset = MemoryLayout<sockaddr_in>.offset(of: \.sin_addr)!
            return SocketAddress(
                host: .ipv4(Array(bytes[offset..<(offset + 4)])),
                port: port(MemoryLayout<sockaddr_in>.offset(of: \.sin_port)!))
        case AF_INET6:
            let offset = MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr)!
            return SocketAddress(
                host: .ipv6(Array(bytes[offset..<(offset + 16)])),
                port: port(MemoryLayout<sockaddr_in6>.offset(of: \.sin6_port)!))
        case AF_UNIX:
            let path = bytes[MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!...].prefix {
                $0 != 0
            }
            return path.isEmpty ? nil : .unix(path: String(decoding: path, as: UTF8.self))
        default: return nil
        }
    }

    /// The client's address for the log. An IPv4 address on an IPv6 socket (`::ffff:192.0.2.1`, RFC
    /// 4291 §2.5.5.2) is written as IPv4. A client of a Unix domain socket is `unix`.
    var client: ClientAddress {
        if CInt(storage.ss_family) == AF_UNIX { return Self.unix }
        var text = [UInt8](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = CInt(storage.ss_family)
        // Sound: the family says which address the storage holds; inet_ntop writes at most the
        // buffer's size and terminates the text.
        unsafe withUnsafeBytes(of: storage) { raw in
            unsafe text.withUnsafeMutableBytes { text in
                let target = unsafe text.baseAddress!.assumingMemoryBound(to: CChar.self)
                let size = socklen_t(text.count)
                if family == AF_INET {
                    let offset = MemoryLayout<sockaddr_in>.offset(of: \.sin_addr)!
                    unsafe inet_ntop(AF_INET, raw.baseAddress! + offset, target, size)
                } else if family == AF_INET6 {
                    let offset = MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr)!
                    let address = unsafe raw[offset..<(offset + 16)]
                    let isMapped = unsafe address.prefix(12).elementsEqual(Self.mappedPrefix)
                    unsafe inet_ntop(
                        isMapped ? AF_INET : AF_INET6,
                        raw.baseAddress! + offset + (isMapped ? 12 : 0), target, size)
                }
            }
        }
        let end = text.firstIndex(of: 0) ?? 0
        // The longest address text has 45 characters, which is what a ClientAddress holds.
        return ClientAddress(text.span.extracting(0..<end))!
    }

    private static let unix = ClientAddress(Array("unix".utf8).span)!

    private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
}
