import POSIX
import Server

/// Which listener each inherited socket is for: `admin` and `metrics` by these names, and the public one's
/// are those that nobody has named. Where there is one, it is served, and the address that is configured
/// is not.
struct InheritedListeners {
    enum ListenerRole { case `public`, admin, metrics }

    private(set) var publicSockets: [InheritedSocket] = []
    private(set) var admin: [InheritedSocket] = []
    private(set) var metrics: [InheritedSocket] = []
    /// Somebody has named them, and nothing here is called so: a mistyped `metrics` must not be open to
    /// the public.
    private var unrecognized: [InheritedSocket] = []

    static let none = InheritedListeners([])

    init(_ sockets: [InheritedSocket]) {
        for socket in sockets {
            switch Self.door(named: socket.name) {
            case .admin: admin.append(socket)
            case .metrics: metrics.append(socket)
            case .public: publicSockets.append(socket)
            case nil: unrecognized.append(socket)
            }
        }
    }

    /// Nil for a name that is nobody's here.
    static func door(named name: String) -> ListenerRole? {
        switch name {
        case "admin": .admin
        case "metrics": .metrics
        // No names are handed over, or none for this one (sd_listen_fds(3)).
        case "", "unknown": .public
        // The socket unit's own, where it has no FileDescriptorName= (systemd.socket(5)).
        // Slips for the two that are not for the public.
        case "admin.socket", "metrics.socket": nil
        default: name.hasSuffix(".socket") ? .public : nil
        }
    }

    /// What is wrong with them; the rules are those for addresses that are configured.
    func problems(_ configuration: Configuration) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func add(_ socket: InheritedSocket, _ path: String, _ sentence: String) {
            problems.append(
                ConfigurationProblem(
                    path: path, message: "the inherited socket \(socket.address.text) \(sentence)")
            )
        }
        for socket in unrecognized {
            add(
                socket, "LISTEN_FDNAMES",
                "is called \"\(VisibleText.of(socket.name))\", which is not known; "
                    + "FileDescriptorName= can be admin or metrics, and the public listener has none"
            )
        }
        for socket in publicSockets {
            if socket.address.isFile {
                add(socket, "server.host", "is a file's; write an address and a port")
            } else if configuration.login.mode == .demo, !socket.address.isForDemo {
                add(socket, "server.host", "cannot be: demo mode listens on 127.0.0.1 or ::1 only")
            }
        }
        for socket in metrics where socket.address.isFile || !socket.address.isLoopback {
            add(socket, "admin.metrics", "is not on a loopback address; it has no password")
        }
        for socket in admin {
            if case .unix(let path) = socket.address.host {
                // Whoever may write to it may connect (unix(7)).
                let mode = (try? FileStatus(path: path))?.mode ?? 0o777
                if mode & 0o002 != 0 {
                    add(socket, "admin.socket", "is open to everybody; write SocketMode=0600")
                }
            } else {
                add(socket, "admin.socket", "is not a file's; write ListenStream= with a path")
            }
        }
        return problems
    }

    /// The configuration with the addresses that are served in it.
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
                        message: "\(configured.text) is not listened on, but the inherited socket "
                            + first.address.text))
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
    /// Whether it is one of the two that the demo, which believes everybody, listens on: what everybody
    /// knows as this machine's own, and no other of 127.0.0.0/8.
    var isForDemo: Bool {
        host == .ipv4([127, 0, 0, 1]) || host == .ipv6([UInt8](repeating: 0, count: 15) + [1])
    }

    fileprivate var isFile: Bool {
        if case .unix = host { true } else { false }
    }

    /// Whether a socket that is bound to this is what was meant by the other, whose port may be any.
    fileprivate func serves(_ configured: SocketAddress) -> Bool {
        host == configured.host && (configured.port == 0 || port == configured.port)
    }
}
