import Glibc
import HTTP
import POSIX
import TestSupport
import Testing
import Time

@testable import Server

/// A socket that the test holds as systemd would, bound to a free port of 127.0.0.1.
private struct HeldSocket: ~Copyable {
    let descriptor: CInt

    init(_ type: __socket_type = SOCK_STREAM, listens: Bool = true) {
        descriptor = socket(AF_INET, CInt(type.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        withUnsafePointer(to: address) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if listens { listen(descriptor, 128) }
    }

    deinit { close(descriptor) }

    /// A descriptor as a new process inherits it.
    func inheritedDescriptor() -> CInt { dup(descriptor) }
}

private let hooks = ServerHooks(commit: { _ in true }, refused: { _ in }, acceptFailed: { _ in })

private func routes() -> RouteTable {
    var router = Router()
    TestServer.commonRoutes(&router)
    return router.routes()
}

@Suite(.blocking, .tags(.timing))
struct InheritedSocketTests {
    /// Requests in progress have time to finish, and idle connections are closed at once.
    private static let withLongDrain = ServerOptions.forTests {
        $0.drainTimeout = .seconds(300)
        $0.idleDrainTimeout = TimeAmount(milliseconds: 0)
    }

    @Test(
        arguments: [
            ([:], []),
            (["LISTEN_FDS": "2"], []),
            (["LISTEN_PID": "8", "LISTEN_FDS": "2"], []),
            (["LISTEN_PID": "7"], []),
            (["LISTEN_PID": "7", "LISTEN_FDS": "0", "LISTEN_FDNAMES": ""], []),
            (["LISTEN_PID": "7", "LISTEN_FDS": "2"], ["", ""]),
            (["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:"], ["a", ""]),
        ] as [([String: String], [String])])
    func `the names of inherited sockets are those for this process`(
        _ environment: [String: String], _ names: [String]
    ) throws {
        #expect(try InheritedSocket.names(environment, processID: 7) == names)
    }

    @Test(
        arguments: [
            (["LISTEN_FDS": ""], .badCount("")),
            (["LISTEN_FDS": "+1"], .badCount("+1")),
            (["LISTEN_FDS": "-1"], .badCount("-1")),
            (["LISTEN_FDS": "1025"], .badCount("1025")),
            (["LISTEN_FDS": "99999999999999999999"], .badCount("99999999999999999999")),
            (["LISTEN_FDS": "1", "LISTEN_FDNAMES": "a:b"], .badNames("a:b")),
        ] as [([String: String], InheritedSocket.Failure)])
    func `an invalid environment is an error`(
        _ environment: [String: String], _ failure: InheritedSocket.Failure
    ) {
        #expect(throws: failure) {
            try InheritedSocket.names(
                environment.merging(["LISTEN_PID": "7"]) { old, _ in old }, processID: 7)
        }
    }

    @Test func `an adopted socket is configured and reports its address`() throws {
        let held = HeldSocket()
        let number = held.inheritedDescriptor()
        let inherited = try InheritedSocket.adopt(number, "http")
        #expect(inherited.name == "http")
        #expect(inherited.address.isLoopback && inherited.address.port != 0)
        #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(number, F_GETFL) & O_NONBLOCK != 0)
        #expect(try Socket.option(number, CInt(IPPROTO_TCP), TCP_NODELAY) != 0)
    }

    @Test func `a descriptor that is not a listening stream socket is refused`() throws {
        let silent = HeldSocket(listens: false).inheritedDescriptor()
        #expect(throws: InheritedSocket.Failure.doesNotListen(silent)) {
            try InheritedSocket.adopt(silent, "")
        }
        let datagrams = HeldSocket(SOCK_DGRAM, listens: false).inheritedDescriptor()
        #expect(throws: InheritedSocket.Failure.doesNotListen(datagrams)) {
            try InheritedSocket.adopt(datagrams, "")
        }
        let file = open("/dev/null", O_RDONLY | O_CLOEXEC)
        #expect(throws: InheritedSocket.Failure.isNoSocket(file)) {
            try InheritedSocket.adopt(file, "")
        }
        // Higher than any descriptor that another test may get.
        #expect(throws: InheritedSocket.Failure.isNotOpen(.max)) {
            try InheritedSocket.adopt(.max, "")
        }
        // An address without a file, to which every user may connect.
        let nameless = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var family = sockaddr_un()
        family.sun_family = sa_family_t(AF_UNIX)
        withUnsafePointer(to: family) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(nameless, $0, socklen_t(MemoryLayout<sa_family_t>.size))
            }
        }
        listen(nameless, 1)
        #expect(throws: InheritedSocket.Failure.unknownFamily(nameless)) {
            try InheritedSocket.adopt(nameless, "")
        }
    }

    @Test func `connections wait in the socket between two processes that serve it`() throws {
        let held = HeldSocket()
        var waiting: Client?
        for _ in 0..<3 {
            let inherited = try InheritedSocket.adopt(held.inheritedDescriptor(), "")
            let server = try HTTPServer(
                .forTests {
                    $0.workers = 3
                    $0.drainTimeout = .seconds(300)
                    $0.idleDrainTimeout = TimeAmount(milliseconds: 0)
                }, inherited: [inherited], routes: routes(),
                hooks: hooks)
            #expect(server.address == inherited.address)
            server.start()
            if let waiting {
                try waiting.send(.get("/hello"))
                #expect(try waiting.response().content == "hello")
                waiting.close()
            }
            let client = try Client(port: server.address.port)
            try client.send(.get("/other"))
            #expect(try client.response().content == "other")
            client.close()
            #expect(server.stop())
            waiting = try Client(port: server.address.port)
        }
    }

    @Test func `several inherited sockets are served by the same workers`() throws {
        let first = HeldSocket()
        let second = HeldSocket()
        let inherited = [
            try InheritedSocket.adopt(first.inheritedDescriptor(), ""),
            try InheritedSocket.adopt(second.inheritedDescriptor(), ""),
        ]
        let server = try HTTPServer(
            Self.withLongDrain, inherited: inherited, routes: routes(), hooks: hooks)
        server.start()
        for socket in inherited {
            let client = try Client(port: socket.address.port)
            try client.send(.get("/hello"))
            #expect(try client.response().content == "hello")
            client.close()
        }
        #expect(server.stop())
    }

    @Test func `the file of an inherited Unix domain socket is not removed`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("socket")
        let unbound = try Socket.unboundListener()
        try Socket.bind(unbound, .unix(path: path))
        try Socket.listen(unbound)
        let inherited = try InheritedSocket.adopt(dup(unbound.rawValue), "admin")
        #expect(inherited.address == .unix(path: path))
        let server = try HTTPServer(
            Self.withLongDrain, inherited: [inherited], routes: routes(), hooks: hooks)
        server.start()
        let client = try Client(socket: path)
        try client.send(.get("/hello"))
        #expect(try client.response().content == "hello")
        client.close()
        #expect(server.stop())
        #expect(folder.names == ["socket"])
    }
}
