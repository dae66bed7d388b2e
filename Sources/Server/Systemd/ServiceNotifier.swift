import Dispatch
import Glibc
import POSIX
import Time

/// What a service manager wants to know of this process, told as systemd has it (sd_notify(3)): a
/// datagram of lines to the socket that NOTIFY_SOCKET names.
///
/// Nobody here waits for it, and nothing fails with it: messages are sent one after the other on a queue
/// of their own, and one that nobody takes within a second is lost.
package final class ServiceNotifier: Sendable {
    package enum Message: Sendable, Equatable {
        /// It serves, or serves by what it has read again.
        case ready(status: String)
        /// It reads its configuration again since this moment; `ready` is the end of that.
        case reloading(MonotonicTime)
        /// It stops, which may take so long.
        case stopping(TimeAmount)
        /// It is alive.
        case alive

        /// The datagram: one assignment a line.
        package var text: String {
            switch self {
            case .ready(let status):
                // A line end would begin another assignment.
                "READY=1\nSTATUS=\(status.filter { !$0.isNewline })"
            case .reloading(let moment):
                "RELOADING=1\nMONOTONIC_USEC=\(moment.nanoseconds / 1000)"
            case .stopping(let time):
                "STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=\(min(time.milliseconds, .max / 1000) * 1000)"
            case .alive: "WATCHDOG=1"
            }
        }
    }

    /// How often it wants to hear that the process is alive, if at all.
    package let watchdog: TimeAmount?
    private let socket: FileDescriptor
    private let address: sockaddr_un
    private let length: socklen_t
    private let queue = DispatchQueue(label: "gatehouse.service-manager")

    private static let sendTimeout = TimeAmount.seconds(1)

    /// Nil where nobody is to be told: without NOTIFY_SOCKET, or with one of another kind than a Unix
    /// domain socket.
    package init?(_ environment: [String: String], processID: Int32) {
        guard let path = environment["NOTIFY_SOCKET"],
            let (address, length) = Self.address(path),
            let socket = try? Socket.makeDatagram(timeout: Self.sendTimeout)
        else { return nil }
        self.socket = socket
        self.address = address
        self.length = length
        watchdog = Self.watchdog(environment, processID: processID)
    }

    package func notify(_ message: Message) {
        queue.async { self.send(message) }
    }

    /// Returns when all that was told is sent or lost.
    package func finish() { queue.sync {} }

    private func send(_ message: Message) {
        let number = socket.rawValue
        let bytes = Array(message.text.utf8)
        // One that is lost cannot be helped: nobody is there, or nobody listens.
        // Sound: sockaddr_un begins with the members of sockaddr, which is what it is for, and the kernel
        // reads as many bytes of both as it is told.
        _ = try? retryingOnInterrupt {
            unsafe withUnsafePointer(to: address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
                    unsafe sendto(
                        number, bytes, bytes.count, CInt(MSG_NOSIGNAL), general, length)
                }
            }
        }
    }

    /// - Parameter path: absolute, or with `@` in place of the zero byte of an address without a file.
    /// - Returns: nil for what is neither, or too long.
    static func address(_ path: String) -> (sockaddr_un, socklen_t)? {
        var address = sockaddr_un()
        var bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count > 1, bytes[0] == UInt8(ascii: "/") || bytes[0] == UInt8(ascii: "@"),
            bytes.count < room
        else { return nil }
        let isAbstract = bytes[0] == UInt8(ascii: "@")
        if isAbstract { bytes[0] = 0 }
        address.sun_family = sa_family_t(AF_UNIX)
        // Sound: the path is shorter than `sun_path`, which is all zeros, so that one ends it.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        // Every byte up to the length belongs to the name of an address without a file.
        let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
        return (address, socklen_t(start + bytes.count + (isAbstract ? 0 : 1)))
    }

    /// What WATCHDOG_USEC says, if it is meant for this process (sd_watchdog_enabled(3)).
    static func watchdog(_ environment: [String: String], processID: Int32) -> TimeAmount? {
        if let meant = environment["WATCHDOG_PID"], meant != "\(processID)" { return nil }
        guard let text = environment["WATCHDOG_USEC"],
            text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let microseconds = Int64(text),
            microseconds >= 2000
        else { return nil }
        return TimeAmount(milliseconds: microseconds / 1000)
    }
}
