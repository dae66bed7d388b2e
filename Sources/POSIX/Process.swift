import Glibc

/// The ID of this process.
package func processID() -> Int32 { getpid() }

/// The arguments of this process, the program's name first, as the kernel has them.
package func processArguments() throws(Errno) -> [String] {
    let bytes = try FileDescriptor.open("/proc/self/cmdline", O_RDONLY).read(upTo: longestArguments)
    // Each argument ends with a zero.
    return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast().map {
        String(decoding: $0, as: UTF8.self)
    }
}

/// The kernel accepts at most 6 MiB (execve(2)).
private let longestArguments = 8 << 20

/// The resources that this process uses, as the kernel counts them (proc(5), getrusage(2)).
package struct ProcessUsage: Sendable, Equatable {
    /// User and system time.
    package let processorNanoseconds: UInt64
    /// 0 if the kernel does not report it.
    package let residentBytes: Int
    package let openDescriptors: Int

    package static var now: ProcessUsage {
        var usage = rusage()
        // Sound: the call fills in a local structure.
        _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func nanoseconds(_ time: timeval) -> UInt64 {
            UInt64(clamping: time.tv_sec) * 1_000_000_000 + UInt64(clamping: time.tv_usec) * 1000
        }
        // Minus the descriptor of this listing.
        let descriptors = (try? SystemFileSystem().names(in: "/proc/self/fd").count - 1) ?? 0
        return ProcessUsage(
            processorNanoseconds: nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime),
            residentBytes: residentPages * sysconf(Int32(_SC_PAGESIZE)),
            openDescriptors: descriptors)
    }

    /// The second number of /proc/self/statm.
    private static var residentPages: Int {
        guard let file = try? FileDescriptor.open("/proc/self/statm", O_RDONLY) else { return 0 }
        var bytes = [UInt8](repeating: 0, count: 128)
        var span = bytes.mutableSpan
        guard let count = try? file.read(into: &span) else { return 0 }
        let words = bytes[..<count].split(separator: UInt8(ascii: " "))
        return words.count > 1 ? Int(String(decoding: words[1], as: UTF8.self)) ?? 0 : 0
    }
}
