import Glibc
import POSIX
import Synchronization
import Time

/// Reports the crash of the process: writes the buffered lines and then a `sys_crash` line, from a
/// signal handler. It handles faults, and the signals that ask for a core dump (SIGQUIT, SIGXCPU).
///
/// Everything is prepared at the start, because a handler may neither allocate nor lock: the lines
/// are complete but for the digits of their time, the buffers have fixed addresses, and their
/// counts are atomic. If a write blocks, an alarm ends the process.
package enum CrashReport {
    private static let signals: [(number: CInt, name: StaticString)] = [
        (SIGSEGV, "SIGSEGV"), (SIGBUS, "SIGBUS"), (SIGILL, "SIGILL"), (SIGTRAP, "SIGTRAP"),
        (SIGFPE, "SIGFPE"), (SIGABRT, "SIGABRT"), (SIGSYS, "SIGSYS"),
        (SIGQUIT, "SIGQUIT"), (SIGXCPU, "SIGXCPU"), (SIGSTKFLT, "SIGSTKFLT"),
    ]
    /// The longest time from the fault to the end of the process, in microseconds.
    private static let timeLimit = 700_000

    /// A complete line, stored inline; 256 bytes are more than any `sys_crash` line needs.
    private typealias Line = InlineArray<256, UInt8>

    /// The two buffers of a log.
    typealias Buffers = (LineBuffer, LineBuffer)

    enum Slot { case log, audit }

    fileprivate final class Preparation: Sendable {
        /// The buffers of the log, and of the audit log if there is one.
        let buffers: [Buffers]
        let lines: [(number: CInt, text: InlineArray<256, UInt8>, count: Int)]
        /// The offset of the time in the lines.
        let timeOffset: Int

        init(_ buffers: [Buffers], _ format: LogFormat) {
            self.buffers = buffers
            lines = signals.map { number, name in
                let event = Crashed(signal: name, processID: POSIX.processID())
                let bytes = LogLine.formatted(event, at: Timestamp(seconds: 0), format)
                let text = Line { index in index < bytes.count ? bytes[index] : 0 }
                return (number, text, bytes.count)
            }
            timeOffset =
                switch format {
                case .text: 0
                case .json: 9
                case .logfmt: 5
                }
        }
    }

    /// Installs the handler for these logs.
    static func install(_ buffers: [Buffers], _ format: LogFormat) {
        // Sound: no handler is installed yet that could read it. The structures passed to the calls
        // below outlive them.
        unsafe preparation = Preparation(buffers, format)
        for (number, _) in signals {
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { die($0) }
            // Reset after the first signal: a fault in the handler ends the process.
            action.sa_flags = CInt(bitPattern: UInt32(SA_RESETHAND)) | SA_NODEFER
            _ = unsafe sigaction(number, &action, nil)
        }
    }

    /// Sets the descriptor that the handler writes to; -1 for none.
    static func setDescriptor(_ number: CInt, of slot: Slot) {
        switch slot {
        case .log: descriptor.store(number, ordering: .relaxed)
        case .audit: auditDescriptor.store(number, ordering: .relaxed)
        }
    }

    fileprivate static let descriptor = Atomic<CInt>(-1)
    fileprivate static let auditDescriptor = Atomic<CInt>(-1)
    fileprivate static let hasBegun = Atomic<Bool>(false)

    fileprivate static func report(_ signal: CInt, _ prepared: Preparation) {
        var alarm = itimerval(
            it_interval: timeval(), it_value: timeval(tv_sec: 0, tv_usec: timeLimit))
        // If SIGALRM were ignored, the alarm would not end the process.
        Glibc.signal(SIGALRM, SIG_DFL)
        // Sound: each of these calls gets a structure on this stack, which outlives the call.
        _ = unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &alarm, nil)
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, SIGALRM)
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)

        for (index, buffers) in prepared.buffers.enumerated() {
            waitForWriter(buffers)
            let (a, b) = buffers
            let (first, second) = b.isUnderway.load(ordering: .relaxed) ? (b, a) : (a, b)
            let number = descriptor(index)
            first.writeOut(to: number)
            second.writeOut(to: number)
        }
        for (signalNumber, text, count) in prepared.lines where signalNumber == signal {
            var time = timespec()
            // Sound: as above.
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            let stamp = Timestamp(
                milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
            ).rfc3339
            var line = text
            // Every format has the 24 characters of a time at `timeOffset`.
            for index in 0..<24 { line[prepared.timeOffset + index] = stamp[index] }
            for index in prepared.buffers.indices {
                let number = descriptor(index)
                _ = try? writeOnce(number, line.span.extracting(0..<count))
                fdatasync(number)
            }
            _ = try? writeOnce(2, line.span.extracting(0..<count))
        }
    }

    private static func descriptor(_ index: Int) -> CInt {
        index == 0
            ? descriptor.load(ordering: .relaxed) : auditDescriptor.load(ordering: .relaxed)
    }

    /// Once the handler has started, never returns. Keeps writers from adding lines after
    /// `sys_crash`.
    static func haltIfBegun() {
        while hasBegun.load(ordering: .sequentiallyConsistent) { pause() }
    }

    /// Another thread may be writing; waits up to 100 ms for it to finish.
    private static func waitForWriter(_ buffers: (LineBuffer, LineBuffer)) {
        for _ in 0..<50 {
            let isUnderway =
                buffers.0.isUnderway.load(ordering: .sequentiallyConsistent)
                || buffers.1.isUnderway.load(ordering: .sequentiallyConsistent)
            guard isUnderway else { return }
            var pause = timespec(tv_sec: 0, tv_nsec: 2_000_000)
            // Sound: the call reads a structure on this stack.
            unsafe nanosleep(&pause, nil)
        }
    }
}

/// Sound: it is set once, before a handler that could read it is installed, and never changed.
nonisolated(unsafe) private var preparation: CrashReport.Preparation?

/// The signal handler. Nothing here allocates, locks, or calls a function that might.
private func die(_ signal: CInt) {
    // A second thread that faults meanwhile waits for the end of the process.
    guard !CrashReport.hasBegun.exchange(true, ordering: .sequentiallyConsistent) else {
        while true { pause() }
    }
    // Sound: see `preparation`.
    if let prepared = unsafe preparation { CrashReport.report(signal, prepared) }
    // The default action: the system's own report, and a core dump if enabled.
    Glibc.signal(signal, SIG_DFL)
    raise(signal)
    // Reached if the signal is blocked.
    _exit(128 + signal)
}

/// `sys_crash`
private struct Crashed: LogEvent {
    let signal: StaticString
    let processID: Int32
    var level: Level { .critical }
    var area: Area { .app }
    var name: StaticString { "sys_crash" }

    func write(to line: inout LogLine) {
        line.field("signal", signal)
        line.field("pid", Int64(processID))
    }
}
