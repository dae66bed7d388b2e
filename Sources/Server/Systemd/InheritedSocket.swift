import Glibc
import POSIX

/// A listening socket that the process was started with, as systemd hands it over (sd_listen_fds(3)):
/// it stays open while one process ends and the next begins, and connections wait in it meanwhile.
///
/// Looked at before it is used: whoever is handed something else than was meant must say so, and not
/// accept from it.
package struct InheritedSocket: Sendable {
    /// What systemd calls it (`FileDescriptorName=`): the socket unit's name, if nobody said otherwise;
    /// empty if there are no names.
    package let name: String
    /// Where it listens.
    package let address: SocketAddress
    let listener: Listener

    package enum Failure: Error, Equatable {
        /// LISTEN_FDS is no number of descriptors.
        case badCount(String)
        /// LISTEN_FDNAMES has another number of names.
        case badNames(String)
        case isNotOpen(CInt)
        case isNoSocket(CInt)
        /// It takes no connections: a datagram socket, or one that nobody has made to listen.
        case doesNotListen(CInt)
        /// Neither IPv4 nor IPv6 nor a file's.
        case unknownFamily(CInt)
        case system(CInt, Errno)

        /// For the operator.
        package var sentence: String {
            switch self {
            case .badCount(let text): "LISTEN_FDS is \"\(text)\", which is no number of sockets"
            case .badNames(let text):
                "LISTEN_FDNAMES is \"\(text)\", which has not as many names as LISTEN_FDS says"
            case .isNotOpen(let number): "\(Self.what(number)) is not open"
            case .isNoSocket(let number): "\(Self.what(number)) is not a socket"
            case .doesNotListen(let number):
                "\(Self.what(number)) takes no connections; write ListenStream= and Accept=no"
            case .unknownFamily(let number):
                "\(Self.what(number)) is of no family that can be served: neither IPv4 nor IPv6 nor a "
                    + "file's"
            case .system(let number, let error):
                "\(Self.what(number)) cannot be used: \(error.description)"
            }
        }

        private static func what(_ number: CInt) -> String {
            "the inherited descriptor \(number) (LISTEN_FDS)"
        }
    }

    /// The first descriptor that is handed over (SD_LISTEN_FDS_START).
    private static let first: CInt = 3
    /// Far more than anybody listens on, far below what would overflow.
    private static let most = 1024

    /// Takes over what the environment says was handed over; once in a process's life, because the
    /// descriptors are the result's from then on. Variables that are meant for another process
    /// (LISTEN_PID) mean nothing; what this process might start itself would find that they are not
    /// meant for it, and the descriptors closed.
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

    /// The names of the descriptors that are meant for this process, from the third on.
    static func names(
        _ environment: [String: String], processID: Int32
    ) throws(Failure) -> [String] {
        guard environment["LISTEN_PID"] == "\(processID)", let text = environment["LISTEN_FDS"]
        else { return [] }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(text),
            count <= most
        else { throw .badCount(text) }
        guard count > 0, let list = environment["LISTEN_FDNAMES"] else {
            return [String](repeating: "", count: count)
        }
        let names = list.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard names.count == count else { throw .badNames(list) }
        return names
    }

    /// Takes over a descriptor: closed at the next exec, never blocking, and closed with the result.
    static func adopt(_ number: CInt, _ name: String) throws(Failure) -> InheritedSocket {
        _ = try asking(number) { () throws(Errno) in
            try retryingOnInterrupt { fcntl(number, F_SETFD, FD_CLOEXEC) }
        }
        let socket = FileDescriptor(owning: number)
        let (listens, type) = try asking(number) { () throws(Errno) in
            (
                try Socket.option(number, SOL_SOCKET, SO_ACCEPTCONN),
                try Socket.option(number, SOL_SOCKET, SO_TYPE)
            )
        }
        guard listens == 1, type == CInt(SOCK_STREAM.rawValue) else { throw .doesNotListen(number) }
        let address = try asking(number) { () throws(Errno) in try Socket.address(of: number) }
        guard let address else { throw .unknownFamily(number) }
        try asking(number) { () throws(Errno) in
            // The flag belongs to the socket and not to the descriptor: whoever shares it sees it, and
            // wants it so, because everybody waits for it with a poller.
            let flags = try retryingOnInterrupt { fcntl(number, F_GETFL) }
            _ = try retryingOnInterrupt { fcntl(number, F_SETFL, flags | O_NONBLOCK) }
            try Socket.prepareListener(number, address)
        }
        return InheritedSocket(
            name: name, address: address, listener: Listener(socket, isShared: true))
    }

    private static func asking<Answer>(
        _ number: CInt, _ ask: () throws(Errno) -> Answer
    ) throws(Failure) -> Answer {
        do throws(Errno) {
            return try ask()
        } catch {
            switch error {
            case .badFileDescriptor: throw .isNotOpen(number)
            case .notSocket: throw .isNoSocket(number)
            default: throw .system(number, error)
            }
        }
    }
}
