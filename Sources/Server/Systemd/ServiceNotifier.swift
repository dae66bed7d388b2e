import Dispatch
import Glibc
import POSIX
import Time

/// Notifies the service manager in systemd's protocol (sd_notify(3)): a datagram of lines to the
/// socket that NOTIFY_SOCKET names.
///
/// Sending never blocks or fails for the caller: messages are sent in order on a queue of their
/// own, and a message that is not received within a second is lost.
package final class ServiceNotifier: Sendable {
    package enum Message: Sendable, Equatable {
        /// The server is ready, or has reloaded its configuration.
        case ready(status: String)
        /// The configuration is being reloaded since this moment; `ready` ends that.
        case reloading(MonotonicTime)
        /// The server stops, which may take this long.
        case stopping(TimeAmount)
        /// The process is alive.
        case alive

        /// The datagram: one assignment a line.
        package var text: String {
            switch self {
            case .ready(let status):
                // A line end would start another assignment.
                "READY=1\nSTATUS=\(status.filter { !$0.isNewline })"
            case .reloading(let moment):
                "RELOADING=1\nMONOTONIC_USEC=\(moment.nanoseconds / 1000)"
            case .stopping(let time):
                "STOPPING=1\nSTATUS=Stopping\n"
                    + "EXTEND_TIMEOUT_USEC=\(min(time.milliseconds, .max / 1000) * 1000)"
            case .alive: "WATCHDOG=1"
            }
        }
    }

    /// How often the service manager expects `alive`; nil if it does not.
    package let watchdog: TimeAmount?
    private let socket: FileDescriptor
    private let address: sockaddr_un
    private let length: socklen_t
    private let queue = DispatchQueue(label: "gatehouse.service-manager")

    private static let sendTimeout = TimeAmount.seconds(1)

    /// Nil if there is no service manager to notify: NOTIFY_SOCKET is not set, or is not the
    /// address of a Unix domain socket.
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

    /// Queues a message, and returns at once.
    package func notify(_ message: Message) {
        queue.async { self.send(message) }
    }

    /// Returns when all messages queued so far are sent or lost.
    package func finish() { queue.sync {} }

    private func send(_ message: Message) {
        let number = socket.rawValue
        let bytes = Array(message.text.utf8)
        // An error is ignored: there may be no receiver.
        // Sound: sockaddr_un begins with the members of sockaddr and is meant to be cast to it. The
        // kernel reads as many bytes of both as the sizes say.
        _ = try? retryingOnInterrupt {
            unsafe withUnsafePointer(to: address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
                    unsafe sendto(
                        number, bytes, bytes.count, CInt(MSG_NOSIGNAL), general, length)
                }
            }
        }
    }

    /// - Parameter path: Absolute, or with `@` in place of the zero byte of an abstract address.
    /// - Returns: Nil for any other path, or one that is too long.
    static func address(_ path: String) -> (sockaddr_un, socklen_t)? {
        var address = sockaddr_un()
        var bytes = Array(path.utf8)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count > 1, bytes[0] == UInt8(ascii: "/") || bytes[0] == UInt8(ascii: "@"),
            bytes.count < capacity
        else { return nil }
        let isAbstract = bytes[0] == UInt8(ascii: "@")
        if isAbstract { bytes[0] = 0 }
        address.sun_family = sa_family_t(AF_UNIX)
        // Sound: the path is shorter than `sun_path`, which is all zeros and so terminates it.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        // In an abstract address every byte up to the length belongs to the name.
        let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
        return (address, socklen_t(start + bytes.count + (isAbstract ? 0 : 1)))
    }

    /// The interval in WATCHDOG_USEC, if it is for this process (sd_watchdog_enabled(3)).
    static func watchdog(_ environment: [String: String], processID: Int32) -> TimeAmount? {
        if let recipient = environment["WATCHDOG_PID"], recipient != "\(processID)" { return nil }
        guard let text = environment["WATCHDOG_USEC"],
            text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let microseconds = Int64(text),
            microseconds >= 2000
        else { return nil }
        return TimeAmount(milliseconds: microseconds / 1000)
    }
}
