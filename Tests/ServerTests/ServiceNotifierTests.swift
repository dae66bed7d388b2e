import Dispatch
import Glibc
import HTTP
import POSIX
import TestSupport
import Testing
import Time

@testable import Server

@Suite(.blocking)
struct ServiceNotifierTests {
    @Test(
        arguments: [
            (.ready(status: "Listening"), "READY=1\nSTATUS=Listening"),
            // A status cannot contain another assignment.
            (.ready(status: "a\nMAINPID=1\r\nb"), "READY=1\nSTATUS=aMAINPID=1b"),
            (
                .reloading(MonotonicTime(nanoseconds: 5_000_001_999)),
                "RELOADING=1\nMONOTONIC_USEC=5000001"
            ),
            (
                .stopping(.seconds(12)),
                "STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=12000000"
            ),
            (
                .stopping(TimeAmount(milliseconds: .max)),
                "STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=9223372036854775000"
            ),
            (.alive, "WATCHDOG=1"),
        ] as [(ServiceNotifier.Message, String)])
    func `a notification has one line for each assignment`(
        _ message: ServiceNotifier.Message, _ text: String
    ) {
        #expect(message.text == text)
    }

    @Test(
        arguments: [
            ("/run/notify", [UInt8]("/run/notify".utf8) + [0]),
            ("@notify", [0] + [UInt8]("notify".utf8)),
            ("@" + String(repeating: "n", count: 106), [0] + [UInt8](repeating: 0x6E, count: 106)),
        ] as [(String, [UInt8])])
    func `the notification address is an absolute path or an abstract address`(
        _ path: String, _ bytes: [UInt8]
    ) throws {
        let (address, length) = try #require(ServiceNotifier.address(path))
        let raw = withUnsafeBytes(of: address) { [UInt8]($0) }
        #expect([UInt8](raw[2..<Int(length)]) == bytes)
        #expect(address.sun_family == sa_family_t(AF_UNIX))
    }

    @Test(arguments: [
        "", "/", "@", "run/notify", "vsock:2:1", "/" + String(repeating: "n", count: 107),
    ])
    func `any other notification address is ignored`(_ path: String) {
        #expect(ServiceNotifier.address(path) == nil)
        #expect(ServiceNotifier(["NOTIFY_SOCKET": path], processID: 7) == nil)
    }

    @Test(
        arguments: [
            ([:], nil),
            (["WATCHDOG_USEC": "30000000"], 30_000),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"], 30_000),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"], nil),
            (["WATCHDOG_USEC": "0"], nil),
            (["WATCHDOG_USEC": "-5000"], nil),
            (["WATCHDOG_USEC": "soon"], nil),
            (["WATCHDOG_PID": "7"], nil),
        ] as [([String: String], Int64?)])
    func `the watchdog interval is read if it is for this process`(
        _ environment: [String: String], _ milliseconds: Int64?
    ) {
        #expect(
            ServiceNotifier.watchdog(environment, processID: 7)?.milliseconds == milliseconds)
    }

    @Test func `notifications are sent in order, and lost without a receiver`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("notify")
        let notifier = try #require(ServiceNotifier(["NOTIFY_SOCKET": path], processID: 7))
        notifier.notify(.alive)
        notifier.finish()
        let socket = try Socket.makeDatagram(timeout: .seconds(1))
        try Socket.bind(socket, .unix(path: path))
        notifier.notify(.ready(status: "up"))
        notifier.notify(.alive)
        notifier.finish()
        #expect(try received(socket) == "READY=1\nSTATUS=up")
        #expect(try received(socket) == "WATCHDOG=1")
        #expect(throws: Errno.wouldBlock) { try received(socket) }
    }

    private func received(_ socket: borrowing FileDescriptor) throws(Errno) -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        var span = bytes.mutableSpan
        let count = try Socket.receive(socket, into: &span)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

@Suite(.blocking)
struct LivenessTests {
    @Test func `a liveness check completes once all workers have answered`() throws {
        let gate = Gate()
        let server = try TestServer(
            .forTests { $0.workers = 3 },
            routes: { router in
                router.on(.get, "/hang") { _ in
                    gate.pass()
                    return Response(.ok)
                }
            })
        let answered = DispatchSemaphore(value: 0)
        server.server.checkLiveness { answered.signal() }
        #expect(answered.wait(timeout: .now() + TestScale.timeout) == .success)
        let client = try server.client()
        try client.send(.get("/hang"))
        #expect(gate.waitForArrival())
        server.server.checkLiveness { answered.signal() }
        // The other workers have answered long before this timeout.
        #expect(answered.wait(timeout: .now() + 0.05) == .timedOut)
        gate.open()
        #expect(answered.wait(timeout: .now() + TestScale.timeout) == .success)
    }
}
