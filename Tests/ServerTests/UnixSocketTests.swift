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

/// A socket without a server of ours behind it.
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

@Suite("A server on a Unix domain socket", .blocking, .serialized)
struct UnixSocketTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path("s")
    }

    @Test("serves as one on a port does")
    func serves() throws {
        let server = try TestServer(.on(path))
        let client = try server.client()
        try client.send(.get("/hello") + .get("/large") + .post("/echo", "x") + .get("/nothing"))
        #expect(try client.response().content == "hello")
        #expect(try client.response().content == .large)
        #expect(try client.response().content == "x")
        #expect(try client.response().status == 404)
        client.endSending()
        #expect(try client.untilEnd() == "")
    }

    @Test("calls its clients `unix`, in requests and in refusals")
    func client() throws {
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

    @Test("serves all its clients, however many workers were asked for")
    func workers() throws {
        var options = ServerOptions.on(path)
        options.workers = 4
        let server = try TestServer(options)
        let clients = try (0..<16).map { _ in try server.client() }
        for client in clients { try client.send(.post("/echo", "123456")) }
        for client in clients { #expect(try client.response().content == "123456") }
    }

    @Test("keeps to its limits and timeouts")
    func limits() throws {
        var options = ServerOptions.on(path)
        options.limits = Conversation.Limits(body: 3)
        options.idleTimeout = TimeAmount(milliseconds: 1)
        let server = try TestServer(options)
        let (long, idle) = (try server.client(), try server.client())
        try long.send(.post("/echo", "1234"))
        #expect(try long.response().status == 413)
        try idle.send(.get("/hello"))
        #expect(try idle.response().status == 200)
        #expect(try idle.untilEnd() == "")
    }

    @Test("has a file that only its user can connect to")
    func permissions() throws {
        let server = try TestServer(.on(path))
        #expect(try SystemFileSystem().status(of: path).mode == S_IFSOCK | 0o600)
        server.server.stop()
    }

    @Test("removes its file when it stops, and serves what was begun")
    func stop() throws {
        let server = try TestServer(.on(path))
        let client = try server.client()
        try client.send(.get("/hello"))
        _ = try client.response()
        server.server.stop()
        #expect(folder.allNames == [])
        #expect(try client.untilEnd() == "")
        #expect(throws: Client.Failure.system(ENOENT)) { try server.client() }
        _ = try TestServer(.on(path)).client()
    }

    @Test("removes its file if it never started")
    func neverStarted() throws {
        do {
            _ = try HTTPServer(
                .on(path), routes: Router().routes(),
                hooks: ServerHooks(
                    commit: { _ in true }, refused: { _ in }, acceptFailed: { _ in }))
        }
        #expect(folder.allNames == [])
    }

    @Test("takes the place of a server that is dead")
    func stale() throws {
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

    @Test("leaves a server alone that lives")
    func live() throws {
        let server = try TestServer(.on(path))
        #expect(throws: Errno.addressInUse) { try TestServer(.on(path)) }
        let client = try server.client()
        try client.send(.get("/hello"))
        #expect(try client.response().content == "hello")
    }

    @Test("leaves a server alone whose queue is full, and one that is not ours at all")
    func liveOthers() throws {
        let full = try BareSocket(path, backlog: 0)
        let waiting = try Client(socket: path)
        #expect(throws: Errno.addressInUse) { try TestServer(.on(path)) }
        let datagrams = try BareSocket(folder.path("datagrams"), SOCK_DGRAM)
        #expect(throws: Errno.addressInUse) { try TestServer(.on(folder.path("datagrams"))) }
        withExtendedLifetime((full, waiting, datagrams)) {}
        #expect(folder.allNames == ["datagrams", "s"])
    }

    @Test("leaves alone whatever else has its name")
    func otherFiles() throws {
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

    @Test("leaves alone what has taken its name when it stops")
    func replaced() throws {
        let server = try TestServer(.on(path))
        unlink(path)
        let second = try TestServer(.on(path))
        server.server.stop()
        #expect(folder.allNames == ["s"])
        _ = try second.client()
    }

    @Test("needs a path that fits, in a folder that is there")
    func paths() throws {
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

    @Test("tells an operator what is wrong")
    func sentences() {
        let address = SocketAddress.unix(path: String(repeating: "x", count: 110))
        #expect(
            address.sentence(for: .fileNameTooLong).hasSuffix(
                ": the path of a socket has at most 107 bytes, and this one has 110"))
        #expect(
            SocketAddress.unix(path: "run/s").sentence(for: .addressInUse)
                == "cannot listen on run/s: another server is listening there")
        #expect(
            SocketAddress.unix(path: "run/s").sentence(for: .notSocket)
                == "cannot listen on run/s: something that is not a socket has this name; it was "
                + "left as it is")
        #expect(
            SocketAddress("::1", port: 80)!.sentence(for: .permissionDenied)
                == "cannot listen on [::1]:80: Permission denied")
    }

    @Test("of two that start at once on a dead one's path one serves, and its file stays")
    func race() throws {
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
