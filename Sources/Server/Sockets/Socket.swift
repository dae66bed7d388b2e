import Glibc
import POSIX
import Time

/// Socket system calls, on descriptors that the caller owns.
enum Socket {
    /// A listening socket with SO_REUSEPORT, so that the workers' sockets share a port.
    /// - Parameter address: An IPv4 or IPv6 address; see `SocketFile` for a Unix domain socket.
    static func listener(on address: SocketAddress) throws(Errno) -> FileDescriptor {
        let socket = try make(address.family, flags: CInt(SOCK_NONBLOCK.rawValue))
        try set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
        try set(socket, SOL_SOCKET, SO_REUSEPORT, 1)
        try prepareListener(socket.rawValue, address)
        try bind(socket, address)
        try listen(socket)
        return socket
    }

    /// Sets the options that accepted sockets inherit. TCP_NODELAY: a response is sent at once, and
    /// not when the previous one is acknowledged.
    static func prepareListener(_ number: CInt, _ address: SocketAddress) throws(Errno) {
        guard address.family != AF_UNIX else { return }
        try set(number, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// A socket that `SocketFile` binds to a path.
    static func unboundListener() throws(Errno) -> FileDescriptor {
        try make(AF_UNIX, flags: CInt(SOCK_NONBLOCK.rawValue))
    }

    /// - Parameter flags: SOCK_NONBLOCK, or 0.
    static func make(_ family: CInt, flags: CInt = 0) throws(Errno) -> FileDescriptor {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | flags
        return FileDescriptor(
            owning: try retryingOnInterrupt { Glibc.socket(family, type, 0) })
    }

    /// A Unix domain datagram socket.
    /// - Parameter timeout: How long a send blocks if the receiver does not read.
    static func makeDatagram(timeout: TimeAmount) throws(Errno) -> FileDescriptor {
        let type = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let socket = FileDescriptor(
            owning: try retryingOnInterrupt { Glibc.socket(AF_UNIX, type, 0) })
        try setTimeout(socket, timeout)
        return socket
    }

    /// - Parameter backlog: The longest queue of connections; the kernel lowers it to
    ///   net.core.somaxconn. It can be changed later, and connections already queued stay.
    static func listen(
        _ socket: borrowing FileDescriptor, backlog: CInt = 4096
    ) throws(Errno) {
        let number = socket.rawValue
        _ = try retryingOnInterrupt { Glibc.listen(number, backlog) }
    }

    /// Connects to a Unix domain socket. An interrupted call can simply be repeated for this
    /// family.
    static func connect(
        _ socket: borrowing FileDescriptor, _ address: SocketAddress
    ) throws(Errno) {
        let number = socket.rawValue
        // Sound: the kernel copies the address, with its exact size, during the call.
        _ = try retryingOnInterrupt {
            unsafe address.withSocketAddress { pointer, length in
                unsafe Glibc.connect(number, pointer, length)
            }
        }
    }

    /// Throws `.addressInUse` if another process listens on this address. SO_REUSEPORT is for our
    /// own workers only: a second server would silently get half of the connections.
    static func checkUnused(_ address: SocketAddress) throws(Errno) {
        guard address.port != 0 else { return }
        let probe = try make(address.family)
        try set(probe, SOL_SOCKET, SO_REUSEADDR, 1)
        try bind(probe, address)
    }

    /// Checks that the host can be bound, on a port that the kernel chooses.
    static func checkHost(of address: SocketAddress) throws(Errno) {
        let probe = try make(address.family)
        try bind(probe, SocketAddress(host: address.host, port: 0))
    }

    /// The address that a socket is bound to; nil if it has none, or one of an unsupported family.
    static func address(of number: CInt) throws(Errno) -> SocketAddress? {
        var address = PeerAddress()
        // Sound: the kernel gets the buffer's size, and writes no more.
        _ = try retryingOnInterrupt {
            unsafe address.fill { general, length in
                unsafe getsockname(number, general, length)
            }
        }
        return address.socketAddress
    }

    /// The value of an integer option of a socket.
    static func option(_ number: CInt, _ level: CInt, _ option: CInt) throws(Errno) -> CInt {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        // Sound: the kernel gets the integer's size, and writes no more.
        _ = try retryingOnInterrupt {
            unsafe getsockopt(number, level, option, &value, &length)
        }
        return value
    }

    static func accept(
        _ listener: borrowing FileDescriptor, _ peer: inout PeerAddress
    ) throws(Errno) -> FileDescriptor {
        let number = listener.rawValue
        // Sockets are read and written with MSG_DONTWAIT, and this process starts no other, so
        // O_NONBLOCK and FD_CLOEXEC are not worth a system call each.
        // Sound: the kernel fills in at most as many bytes as `fill` allows.
        return FileDescriptor(
            owning: try retryingOnInterrupt {
                unsafe peer.fill { address, length in unsafe Glibc.accept(number, address, length) }
            })
    }

    /// Whether an error of accept(2) belongs to the connection that it took from the queue: the
    /// client has disconnected, or its network is unreachable (accept(2), "Error handling"). The
    /// next call may succeed. Does not include EPERM, which a seccomp filter may return every time.
    static func isTransientAcceptError(_ error: Errno) -> Bool {
        switch error.rawValue {
        case ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
            EOPNOTSUPP, ENETUNREACH, ETIMEDOUT:
            true
        default: false
        }
    }

    /// Receives bytes without blocking.
    /// - Returns: The number of bytes; 0 at the end of the stream.
    static func receive(
        _ socket: borrowing FileDescriptor, into buffer: inout MutableSpan<UInt8>
    ) throws(Errno) -> Int {
        let number = socket.rawValue
        // Sound: the kernel writes at most the buffer's size.
        return try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt {
                unsafe recv(number, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT))
            }
        }
    }

    /// Sends bytes without blocking.
    /// - Returns: The number of bytes that the kernel has accepted.
    static func send(
        _ socket: borrowing FileDescriptor, _ bytes: Span<UInt8>
    ) throws(Errno) -> Int {
        let number = socket.rawValue
        let flags = CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
        // Sound: the kernel copies at most this many bytes, during the call.
        return try unsafe bytes.withUnsafeBytes { bytes throws(Errno) in
            try retryingOnInterrupt {
                unsafe Glibc.send(number, bytes.baseAddress, bytes.count, flags)
            }
        }
    }

    /// Ends the sending direction.
    static func endSending(_ socket: borrowing FileDescriptor) {
        // This fails only if the connection is already gone, which needs no handling.
        _ = shutdown(socket.rawValue, CInt(SHUT_WR))
    }

    static func bind(
        _ socket: borrowing FileDescriptor, _ address: SocketAddress
    ) throws(Errno) {
        if address.family == AF_INET6 {
            // `::` accepts IPv6 and IPv4, whatever the system's default is.
            try set(socket, CInt(IPPROTO_IPV6), IPV6_V6ONLY, 0)
        }
        let number = socket.rawValue
        // Sound: the kernel copies the address, with its exact size, during the call.
        _ = try retryingOnInterrupt {
            unsafe address.withSocketAddress { pointer, length in
                unsafe Glibc.bind(number, pointer, length)
            }
        }
    }

    /// Limits how long blocking sends, and connect(2), wait.
    static func setTimeout(
        _ socket: borrowing FileDescriptor, _ timeout: TimeAmount
    ) throws(Errno) {
        let number = socket.rawValue
        var time = timeval(
            tv_sec: Int(timeout.milliseconds / 1000),
            tv_usec: Int(timeout.milliseconds % 1000) * 1000)
        // Sound: the kernel copies the value, and gets its size.
        _ = try retryingOnInterrupt {
            unsafe setsockopt(
                number, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    private static func set(
        _ socket: borrowing FileDescriptor, _ level: CInt, _ option: CInt, _ value: CInt
    ) throws(Errno) {
        try set(socket.rawValue, level, option, value)
    }

    private static func set(
        _ number: CInt, _ level: CInt, _ option: CInt, _ value: CInt
    ) throws(Errno) {
        var value = value
        // Sound: the kernel copies the value, and gets its size.
        _ = try retryingOnInterrupt {
            unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
        }
    }
}
