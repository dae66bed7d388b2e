import Foundation
import Glibc
import HTTP
import POSIX
import Server
import TestSupport
import Testing
import Time

extension ServerOptions {
    fileprivate static func on(_ path: String) -> ServerOptions {
        .forTests { $0.address = .unix(path: path) }
    }
}

/// A socket that no server of this program owns.
private final class BareSocket {
    private let descriptor: CInt

    init(_ path: String, _ type: __socket_type = SOCK_STREAM, backlog: CInt? = nil) throws {
        descriptor = socket(AF_UNIX, CInt(type.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        if let backlog { listen(descriptor, backlog) }
    }

    deinit { close(descriptor) }
}

@Suite(.blocking, .serialized, .tags(.timing))
struct UnixSocketTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path("s")
    }

    @Test func `a server on a Unix domain socket serves like one on a port`() throws {
        let server = try TestServer(.on(path))
        let client = try server.client()
        try client.send(.get("/hello") + .get("/large") + .post("/echo", "x") + .get("/nothing"))
        #expect(try client.response().content == "hello")
        #expect(try client.response().content == .large)
        #expect(try client.response().content == "x")
        #expect(try client.response().status == 404)
        client.closeWrite()
        #expect(try client.readToEnd() == "")
    }

    @Test func `clients of a Unix domain socket have the address unix`() throws {
        let refusedTo = Events()
        var router = Router()
        TestServer.commonRoutes(&router)
        let server = try HTTPServer(
            .on(path), routes: router.routes(),
            hooks: ServerHooks(
                commit: { _ in true }, refused: { refusedTo.add($0.client.string) },
                acceptFailed: { _ in }))
        server.start()
        let client = try Client(socket: path)
        try client.send(.get("/client") + "nonsense\r\n")
        #expect(try client.response().content == "unix")
        #expect(try client.response().status == 400)
        #expect(refusedTo.all == ["unix"])
        server.stop()
    }

    @Test func `a Unix domain socket serves all clients with any number of workers`() throws {
        var options = ServerOptions.on(path)
        options.workers = 4
        let server = try TestServer(options)
        let clients = try (0..<16).map { _ in try server.client() }
        for client in clients { try client.send(.post("/echo", "123456")) }
        for client in clients { #expect(try client.response().content == "123456") }
    }

    @Test func `limits and timeouts apply on a Unix domain socket`() throws {
        var options = ServerOptions.on(path)
        options.limits = Conversation.Limits(body: 3)
        options.idleTimeout = TimeAmount(milliseconds: 1)
        let server = try TestServer(options)
        let (long, idle) = (try server.client(), try server.client())
        try long.send(.post("/echo", "1234"))
        #expect(try long.response().status == 413)
        try idle.send(.get("/hello"))
        #expect(try idle.response().status == 200)
        #expect(try idle.readToEnd() == "")
    }

    @Test func `the socket file is accessible to its user only`() throws {
        let server = try TestServer(.on(path))
        #expect(try SystemFileSystem().status(of: path).mode == S_IFSOCK | 0o600)
        server.server.stop()
    }

    @Test func `a stop removes the socket file and ends open connections`() throws {
        let server = try TestServer(.on(path))
        let client = try server.client()
        try client.send(.get("/hello"))
        _ = try client.response()
        server.server.stop()
        #expect(folder.allNames == [])
        #expect(try client.readToEnd() == "")
        #expect(throws: Client.Failure.system(ENOENT)) { try server.client() }
        _ = try TestServer(.on(path)).client()
    }

    @Test func `a server that never started removes its socket file`() throws {
        do {
            _ = try HTTPServer(
                .on(path), routes: Router().routes(),
                hooks: ServerHooks(
                    commit: { _ in true }, refused: { _ in }, acceptFailed: { _ in }))
        }
        #expect(folder.allNames == [])
    }

    @Test func `the socket of a server that no longer runs is replaced`() throws {
        do { _ = try BareSocket(path, backlog: 1) }
        do { _ = try BareSocket(folder.path("never listened")) }
        #expect(folder.allNames.count == 2)
        for path in [path, folder.path("never listened")] {
            let server = try TestServer(.on(path))
            let client = try server.client()
            try client.send(.get("/hello"))
            #expect(try client.response().content == "hello")
        }
    }

    @Test func `the socket of a running server is not replaced`() throws {
        let server = try TestServer(.on(path))
        #expect(throws: Errno.addressInUse) { try TestServer(.on(path)) }
        let client = try server.client()
        try client.send(.get("/hello"))
        #expect(try client.response().content == "hello")
    }

    @Test func `a socket with a full queue or of another type is not replaced`() throws {
        let full = try BareSocket(path, backlog: 0)
        let waiting = try Client(socket: path)
        #expect(throws: Errno.addressInUse) { try TestServer(.on(path)) }
        let datagrams = try BareSocket(folder.path("datagrams"), SOCK_DGRAM)
        #expect(throws: Errno.addressInUse) { try TestServer(.on(folder.path("datagrams"))) }
        withExtendedLifetime((full, waiting, datagrams)) {}
        #expect(folder.allNames == ["datagrams", "s"])
    }

    @Test func `another kind of file at the path is not replaced`() throws {
        try folder.file("file", "content")
        symlink("nowhere", folder.path("link"))
        do { _ = try BareSocket(folder.path("dead"), backlog: 1) }
        symlink("dead", folder.path("link to dead"))
        mkdir(folder.path("folder"), 0o700)
        mkfifo(folder.path("pipe"), 0o600)
        let names = folder.allNames
        for name in ["file", "link", "link to dead", "folder", "pipe"] {
            #expect(throws: Errno.notSocket) { try TestServer(.on(folder.path(name))) }
        }
        #expect(folder.allNames == names)
        #expect(try folder.content("file") == "content")
    }

    @Test func `a stop does not remove a file that has replaced its socket`() throws {
        let server = try TestServer(.on(path))
        unlink(path)
        let second = try TestServer(.on(path))
        server.server.stop()
        #expect(folder.allNames == ["s"])
        _ = try second.client()
    }

    @Test func `a socket path must fit into an address, in an existing folder`() throws {
        let fitting = folder.path(String(repeating: "x", count: 106 - folder.path.utf8.count))
        #expect(fitting.utf8.count == SocketAddress.longestPath)
        _ = try TestServer(.on(fitting))
        let cases: [(String, Errno)] = [
            (fitting + "x", .fileNameTooLong), ("", .invalidArgument),
            ("\0abstract", .invalidArgument),
            (path + "\0", .invalidArgument), (folder.path("no/s"), .noSuchFileOrDirectory),
        ]
        for (path, error) in cases {
            #expect(throws: error) { try TestServer(.on(path)) }
        }
    }

    @Test func `a failure to listen is described for an operator`() {
        let address = SocketAddress.unix(path: String(repeating: "x", count: 110))
        #expect(
            address.message(for: .fileNameTooLong).hasSuffix(
                ": the path of a socket has at most 107 bytes, and this one has 110"))
        #expect(
            SocketAddress.unix(path: "run/s").message(for: .addressInUse)
                == "cannot listen on run/s: another server is listening there")
        #expect(
            SocketAddress.unix(path: "run/s").message(for: .notSocket)
                == "cannot listen on run/s: the file at this path is not a socket; "
                + "remove it or use another path")
        #expect(
            SocketAddress("::1", port: 80)!.message(for: .permissionDenied)
                == "cannot listen on [::1]:80: Permission denied")
    }

    @Test func `only one of several servers that start at once on a stale socket serves`() throws {
        for _ in 0..<TestScale.rounds(20, long: 500) {
            do { _ = try BareSocket(path, backlog: 1) }
            let (started, path) = (Monitor<[TestServer]>([]), path)
            let errors = Monitor<[Errno]>([])
            inThreads(3) { _ in
                do {
                    let server = try TestServer(.on(path))
                    started.withLock { $0.append(server) }
                } catch {
                    errors.withLock { $0.append(error as! Errno) }
                }
            }
            #expect(started.withLock { $0.count } == 1)
            #expect(errors.withLock { $0 } == [.addressInUse, .addressInUse])
            let client = started.withLock { try? $0.first?.client() }
            #expect(client != nil)
            started.withLock { $0 = [] }
            #expect(folder.allNames == [])
        }
    }
}
