import Glibc
import POSIX

/// A listening socket that the process inherits, as systemd passes it (sd_listen_fds(3)). It stays
/// open while one process ends and the next starts, and connections wait in it meanwhile.
///
/// It is checked before it is used: a descriptor of the wrong kind is an error.
package struct InheritedSocket: Sendable {
    /// Its name in systemd (`FileDescriptorName=`), by default the name of the socket unit; empty
    /// if there are no names.
    package let name: String
    /// The address that it listens on.
    package let address: SocketAddress
    let listener: Listener

    package enum Failure: Error, Equatable {
        /// LISTEN_FDS is not a valid number of descriptors.
        case badCount(String)
        /// The number of names in LISTEN_FDNAMES is not LISTEN_FDS.
        case badNames(String)
        case isNotOpen(CInt)
        case isNoSocket(CInt)
        /// A datagram socket, or one that does not listen.
        case doesNotListen(CInt)
        /// Not IPv4, IPv6 or a Unix domain socket with a path.
        case unknownFamily(CInt)
        case system(CInt, Errno)

        /// Describes the failure for an operator.
        package var message: String {
            switch self {
            case .badCount(let text):
                "LISTEN_FDS: \"\(text)\" is not a number from 0 to \(InheritedSocket.maximumCount)"
            case .badNames(let text):
                "LISTEN_FDNAMES: \"\(text)\" does not have as many names as LISTEN_FDS says"
            case .isNotOpen(let number): "\(Self.label(number)) is not open"
            case .isNoSocket(let number): "\(Self.label(number)) is not a socket"
            case .doesNotListen(let number):
                "\(Self.label(number)) does not accept connections; use ListenStream= and Accept=no"
            case .unknownFamily(let number):
                "\(Self.label(number)) has an unsupported address family; use IPv4, IPv6 or a path"
            case .system(let number, let error):
                "\(Self.label(number)) cannot be used: \(error.description)"
            }
        }

        private static func label(_ number: CInt) -> String {
            "inherited descriptor \(number) (LISTEN_FDS)"
        }
    }

    /// The first inherited descriptor (SD_LISTEN_FDS_START).
    private static let first: CInt = 3
    /// Far more sockets than any server needs, and far below an overflow.
    private static let maximumCount = 1024

    /// Takes ownership of the inherited sockets that the environment describes. May be called once
    /// in a process, because the result owns the descriptors. Returns an empty array if the
    /// variables are for another process (LISTEN_PID).
    package static func all(
        _ environment: [String: String], processID: Int32
    ) throws(Failure) -> [InheritedSocket] {
        let names = try names(environment, processID: processID)
        var sockets: [InheritedSocket] = []
        for (index, name) in names.enumerated() {
            sockets.append(try adopt(first + CInt(index), name))
        }
        return sockets
    }

    /// The names of the descriptors for this process, in order, beginning with descriptor 3.
    static func names(
        _ environment: [String: String], processID: Int32
    ) throws(Failure) -> [String] {
        guard environment["LISTEN_PID"] == "\(processID)", let text = environment["LISTEN_FDS"]
        else { return [] }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(text),
            count <= maximumCount
        else { throw .badCount(text) }
        guard count > 0, let list = environment["LISTEN_FDNAMES"] else {
            return [String](repeating: "", count: count)
        }
        let names = list.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard names.count == count else { throw .badNames(list) }
        return names
    }

    /// Takes ownership of a descriptor, and sets FD_CLOEXEC and O_NONBLOCK.
    static func adopt(_ number: CInt, _ name: String) throws(Failure) -> InheritedSocket {
        _ = try mappingErrors(number) { () throws(Errno) in
            try retryingOnInterrupt { fcntl(number, F_SETFD, FD_CLOEXEC) }
        }
        let socket = FileDescriptor(owning: number)
        let (listens, type) = try mappingErrors(number) { () throws(Errno) in
            (
                try Socket.option(number, SOL_SOCKET, SO_ACCEPTCONN),
                try Socket.option(number, SOL_SOCKET, SO_TYPE)
            )
        }
        guard listens == 1, type == CInt(SOCK_STREAM.rawValue) else { throw .doesNotListen(number) }
        let address = try mappingErrors(number) { () throws(Errno) in
            try Socket.address(of: number)
        }
        guard let address else { throw .unknownFamily(number) }
        try mappingErrors(number) { () throws(Errno) in
            // O_NONBLOCK belongs to the socket and not to the descriptor: every process that shares
            // the socket sees it. That is correct, because all of them use a poller.
            let flags = try retryingOnInterrupt { fcntl(number, F_GETFL) }
            _ = try retryingOnInterrupt { fcntl(number, F_SETFL, flags | O_NONBLOCK) }
            try Socket.prepareListener(number, address)
        }
        return InheritedSocket(
            name: name, address: address, listener: Listener(socket, isShared: true))
    }

    private static func mappingErrors<Answer>(
        _ number: CInt, _ body: () throws(Errno) -> Answer
    ) throws(Failure) -> Answer {
        do throws(Errno) {
            return try body()
        } catch {
            switch error {
            case .badFileDescriptor: throw .isNotOpen(number)
            case .notSocket: throw .isNoSocket(number)
            default: throw .system(number, error)
            }
        }
    }
}
