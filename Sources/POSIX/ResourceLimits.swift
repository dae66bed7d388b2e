import Glibc

/// The kernel's limits on this process (getrlimit(2)), and the protection of its memory.
package enum ResourceLimits {
    /// Raises the soft limit of open descriptors to the hard limit. The usual soft limit of 1,024
    /// is below `server.max_connections`.
    /// - Returns: the new limit; 0 if it cannot be read.
    @discardableResult
    package static func raiseDescriptors() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        // Sound: both calls get a local structure that outlives them.
        guard unsafe getrlimit(resource, &limit) == 0 else { return 0 }
        let soft = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        let isRaised = unsafe setrlimit(resource, &limit) == 0
        return Int(clamping: isRaised ? limit.rlim_max : soft)
    }

    /// Prevents copies of the memory: no core file is written, and no other process of the same
    /// user may read it (ptrace(2), /proc/self/mem).
    package static func protectMemory() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        // Sound: the call gets a local structure that outlives it.
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        // Swift does not import prctl(2), which has a variable number of arguments. Sound: on every
        // architecture that Swift supports, integers are passed to such a function as to one with a
        // fixed number of parameters, and prctl reads at most five.
        typealias Control = @convention(c) (CInt, UInt, UInt, UInt, UInt) -> CInt
        guard let function = unsafe dlsym(nil, "prctl") else { return }
        let control = unsafe unsafeBitCast(function, to: Control.self)
        _ = control(setDumpable, 0, 0, 0, 0)
    }

    /// `PR_SET_DUMPABLE` of <sys/prctl.h>.
    private static let setDumpable: CInt = 4

    /// The number of processors within the quota of the control group (cpu.max, or cfs_quota_us of
    /// version 1), rounded up; nil if there is no quota.
    package static var processorQuota: Int? {
        let folder = "/sys/fs/cgroup"
        if let text = text("\(folder)/cpu.max") { return quota(cpuMax: text) }
        guard let quota = text("\(folder)/cpu/cpu.cfs_quota_us"),
            let period = text("\(folder)/cpu/cpu.cfs_period_us")
        else { return nil }
        return self.quota(cpuMax: "\(quota) \(period)")
    }

    /// - Parameter text: `200000 100000`, or `max 100000` for no quota.
    static func quota(cpuMax text: String) -> Int? {
        let words = text.split { $0 == " " || $0 == "\n" }
        guard words.count == 2, let quota = Int(words[0]), let period = Int(words[1]), quota > 0,
            period > 0
        else { return nil }
        return quota / period + (quota % period == 0 ? 0 : 1)
    }

    private static func text(_ path: String) -> String? {
        guard let file = try? FileDescriptor.open(path, O_RDONLY),
            let bytes = try? file.read(upTo: 100)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
