import Glibc
import POSIX
import Time

/// The socket calls, on descriptors that their owners lend.
enum Socket {
    /// A listening socket that shares its port with the other workers' sockets.
    /// - Parameter address: one with a port; see `SocketFile` for the others.
    static func listener(on address: SocketAddress) throws(Errno) -> FileDescriptor {
        let socket = try make(address.family, flags: CInt(SOCK_NONBLOCK.rawValue))
        try set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
        try set(socket, SOL_SOCKET, SO_REUSEPORT, 1)
        try prepareListener(socket.rawValue, address)
        try bind(socket, address)
        try listen(socket)
        return socket
    }

    /// What a listener's accepted sockets inherit from it: a response goes out when it is sent, not when
    /// the last one was acknowledged.
    static func prepareListener(_ number: CInt, _ address: SocketAddress) throws(Errno) {
        guard address.family != AF_UNIX else { return }
        try set(number, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// A socket to become a Unix domain listener; see `SocketFile`.
    static func unboundListener() throws(Errno) -> FileDescriptor {
        try make(AF_UNIX, flags: CInt(SOCK_NONBLOCK.rawValue))
    }

    /// - Parameter flags: SOCK_NONBLOCK, or none.
    static func make(_ family: CInt, flags: CInt = 0) throws(Errno) -> FileDescriptor {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | flags
        return FileDescriptor(
            owning: try retryingOnInterrupt { Glibc.socket(family, type, 0) })
    }

    /// A Unix domain socket of datagrams.
    /// - Parameter timeout: how long sending waits for whoever does not read.
    static func makeDatagram(timeout: TimeAmount) throws(Errno) -> FileDescriptor {
        let type = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let socket = FileDescriptor(
            owning: try retryingOnInterrupt { Glibc.socket(AF_UNIX, type, 0) })
        try setTimeout(socket, timeout)
        return socket
    }

    /// - Parameter backlog: connections that may wait; the kernel lowers it to net.core.somaxconn. It can
    ///   be changed later, and those that wait by then stay.
    static func listen(
        _ socket: borrowing FileDescriptor, backlog: CInt = 4096
    ) throws(Errno) {
        let number = socket.rawValue
        _ = try retryingOnInterrupt { Glibc.listen(number, backlog) }
    }

    /// Connects to a Unix domain socket, for which an interrupted call can simply be made again.
    static func connect(
        _ socket: borrowing FileDescriptor, _ address: SocketAddress
    ) throws(Errno) {
        let number = socket.rawValue
        // Sound: the kernel copies as much as the address has, during the call.
        _ = try retryingOnInterrupt {
            unsafe address.withSocketAddress { pointer, length in
                unsafe Glibc.connect(number, pointer, length)
            }
        }
    }

    /// Whether another process listens there: sharing a port is for our own workers only, and a
    /// second server that silently took half of the connections would be a riddle.
    static func checkUnused(_ address: SocketAddress) throws(Errno) {
        guard address.port != 0 else { return }
        let probe = try make(address.family)
        try set(probe, SOL_SOCKET, SO_REUSEADDR, 1)
        try bind(probe, address)
    }

    /// Binds a port that nobody has asked for, and lets it go.
    static func checkHost(of address: SocketAddress) throws(Errno) {
        let probe = try make(address.family)
        try bind(probe, SocketAddress(host: address.host, port: 0))
    }

    /// The address that a socket is bound to; nil if it has none, or of a family that is not ours.
    static func address(of number: CInt) throws(Errno) -> SocketAddress? {
        var address = PeerAddress()
        // Sound: the kernel is told how much room there is, and writes no more.
        _ = try retryingOnInterrupt {
            unsafe address.fill { general, length in
                unsafe getsockname(number, general, length)
            }
        }
        return address.socketAddress
    }

    /// A socket's option, of those that are a number.
    static func option(_ number: CInt, _ level: CInt, _ option: CInt) throws(Errno) -> CInt {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        // Sound: the kernel is told the number's size, and writes no more.
        _ = try retryingOnInterrupt {
            unsafe getsockopt(number, level, option, &value, &length)
        }
        return value
    }

    static func accept(
        _ listener: borrowing FileDescriptor, _ peer: inout PeerAddress
    ) throws(Errno) -> FileDescriptor {
        let number = listener.rawValue
        // Sockets are read and written with MSG_DONTWAIT, and this process starts no other, so that
        // neither O_NONBLOCK nor FD_CLOEXEC is worth its system call.
        // Sound: the kernel fills in at most as much as `fill` says that there is room for.
        return FileDescriptor(
            owning: try retryingOnInterrupt {
                unsafe peer.fill { address, length in unsafe Glibc.accept(number, address, length) }
            })
    }

    /// Whether an error of `accept` is that of the connection which it took from the queue: the client
    /// has gone again, or its network has (accept(2), "Error handling"). The next one may be well. Not
    /// EPERM, which a filter of system calls may say without end.
    static func isTransientAcceptError(_ error: Errno) -> Bool {
        switch error.rawValue {
        case ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
            EOPNOTSUPP, ENETUNREACH, ETIMEDOUT:
            true
        default: false
        }
    }

    /// Bytes read; 0 is the end.
    static func receive(
        _ socket: borrowing FileDescriptor, into buffer: inout MutableSpan<UInt8>
    ) throws(Errno) -> Int {
        let number = socket.rawValue
        // Sound: no more is asked for than the buffer has room for.
        return try unsafe buffer.withUnsafeMutableBytes { bytes throws(Errno) in
            try retryingOnInterrupt {
                unsafe recv(number, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT))
            }
        }
    }

    /// Bytes taken by the kernel.
    static func send(
        _ socket: borrowing FileDescriptor, _ bytes: Span<UInt8>
    ) throws(Errno) -> Int {
        let number = socket.rawValue
        let flags = CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
        // Sound: the kernel copies as many bytes as there are, during the call.
        return try unsafe bytes.withUnsafeBytes { bytes throws(Errno) in
            try retryingOnInterrupt {
                unsafe Glibc.send(number, bytes.baseAddress, bytes.count, flags)
            }
        }
    }

    /// Says that nothing more will be sent.
    static func endSending(_ socket: borrowing FileDescriptor) {
        // A socket that is gone already needs no end.
        _ = shutdown(socket.rawValue, CInt(SHUT_WR))
    }

    static func bind(
        _ socket: borrowing FileDescriptor, _ address: SocketAddress
    ) throws(Errno) {
        if address.family == AF_INET6 {
            // `::` means IPv6 and IPv4, whatever the system's default is.
            try set(socket, CInt(IPPROTO_IPV6), IPV6_V6ONLY, 0)
        }
        let number = socket.rawValue
        // Sound: the kernel copies as much as the address has, during the call.
        _ = try retryingOnInterrupt {
            unsafe address.withSocketAddress { pointer, length in
                unsafe Glibc.bind(number, pointer, length)
            }
        }
    }

    /// How long a blocking call waits for the other side.
    static func setTimeout(
        _ socket: borrowing FileDescriptor, _ timeout: TimeAmount
    ) throws(Errno) {
        let number = socket.rawValue
        var time = timeval(
            tv_sec: Int(timeout.milliseconds / 1000),
            tv_usec: Int(timeout.milliseconds % 1000) * 1000)
        // Sound: the kernel copies the value, which has the size that it is told.
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
        // Sound: the kernel copies the value, which has the size that it is told.
        _ = try retryingOnInterrupt {
            unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
        }
    }
}
