import POSIX
import Server

/// Assigns each inherited socket to a listener by its name: `admin`, `metrics`, or no name for the
/// public listener. A listener with inherited sockets does not listen on its configured address.
struct InheritedListeners {
    enum ListenerRole { case `public`, admin, metrics }

    private(set) var publicSockets: [InheritedSocket] = []
    private(set) var admin: [InheritedSocket] = []
    private(set) var metrics: [InheritedSocket] = []
    /// Sockets with an unknown name. They are refused: a mistyped `metrics` must not become public.
    private var unrecognized: [InheritedSocket] = []

    static let none = InheritedListeners([])

    init(_ sockets: [InheritedSocket]) {
        for socket in sockets {
            switch Self.role(named: socket.name) {
            case .admin: admin.append(socket)
            case .metrics: metrics.append(socket)
            case .public: publicSockets.append(socket)
            case nil: unrecognized.append(socket)
            }
        }
    }

    /// The listener that a socket's name denotes; nil for an unknown name.
    static func role(named name: String) -> ListenerRole? {
        switch name {
        case "admin": .admin
        case "metrics": .metrics
        // There are no names, or none for this socket (sd_listen_fds(3)).
        case "", "unknown": .public
        // Probably meant as `admin` and `metrics`, which must not become public.
        case "admin.socket", "metrics.socket": nil
        // Without FileDescriptorName= the name is that of the socket unit (systemd.socket(5)).
        default: name.hasSuffix(".socket") ? .public : nil
        }
    }

    /// Problems of the sockets, by the same rules as for configured addresses.
    func problems(_ configuration: Configuration) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func add(_ socket: InheritedSocket, _ path: String, _ message: String) {
            problems.append(
                ConfigurationProblem(
                    path: path, message: "the inherited socket \(socket.address.text) \(message)")
            )
        }
        for socket in unrecognized {
            add(
                socket, "LISTEN_FDNAMES",
                "has the unknown name \"\(VisibleText.of(socket.name))\"; write FileDescriptorName="
                    + "admin or metrics, or none for the public listener"
            )
        }
        for socket in publicSockets {
            if socket.address.isFile {
                add(
                    socket, "server.host",
                    "is a Unix domain socket; write ListenStream= with an address and a port")
            } else if configuration.login.mode == .demo, !socket.address.isForDemo {
                add(
                    socket, "server.host",
                    "cannot be used: demo mode listens on 127.0.0.1 or ::1 only")
            }
        }
        for socket in metrics where socket.address.isFile || !socket.address.isLoopback {
            add(
                socket, "admin.metrics",
                "is not on a loopback address; metrics have no password, write "
                    + "ListenStream=127.0.0.1:9090")
        }
        for socket in admin {
            if case .unix(let path) = socket.address.host {
                // Connecting needs write permission on the file (unix(7)).
                let mode = (try? FileStatus(path: path))?.mode ?? 0o777
                if mode & 0o002 != 0 {
                    add(
                        socket, "admin.socket",
                        "is writable for every account; write SocketMode=0600")
                }
            } else {
                add(
                    socket, "admin.socket",
                    "is not a Unix domain socket; write ListenStream= with a path")
            }
        }
        return problems
    }

    /// The configuration with the addresses of the inherited sockets in place of the configured
    /// ones, and a warning for each configured address that is not used.
    func serving(_ configuration: Configuration) -> Configuration {
        var result = configuration
        func take(
            _ sockets: [InheritedSocket], _ path: String, over configured: SocketAddress?
        ) -> SocketAddress? {
            guard let first = sockets.first else { return configured }
            if let configured, !sockets.contains(where: { $0.address.serves(configured) }) {
                result.warnings.append(
                    ConfigurationProblem(
                        path: path,
                        message: "\(configured.text) is not used: the server listens on the "
                            + "inherited socket \(first.address.text)"))
            }
            return first.address
        }
        result.server.address =
            take(publicSockets, "server.host", over: configuration.server.address)
            ?? configuration.server.address
        result.admin.metrics = take(
            metrics, "admin.metrics", over: configuration.admin.metrics)
        let socket = take(
            admin, "admin.socket", over: configuration.admin.socket.map { .unix(path: $0) })
        if case .unix(let path)? = socket?.host { result.admin.socket = path }
        return result
    }
}

extension SocketAddress {
    /// Whether demo mode, which has no passwords, may listen on this address: 127.0.0.1 or ::1
    /// only, and no other address of 127.0.0.0/8.
    var isForDemo: Bool {
        host == .ipv4([127, 0, 0, 1]) || host == .ipv6([UInt8](repeating: 0, count: 15) + [1])
    }

    fileprivate var isFile: Bool {
        if case .unix = host { true } else { false }
    }

    /// Whether a socket bound to this address satisfies a configured one. Its port 0 means any
    /// port.
    fileprivate func serves(_ configured: SocketAddress) -> Bool {
        host == configured.host && (configured.port == 0 || port == configured.port)
    }
}
