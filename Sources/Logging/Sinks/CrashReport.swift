import Glibc
import POSIX
import Synchronization
import Time

/// The last words of a process that dies of a fault of its own, or of a signal that asks for a death that
/// can be looked at (SIGQUIT, SIGXCPU): what waits in memory is written, and a `sys_crash` line behind it,
/// by a signal handler.
///
/// Everything here is prepared before, because a handler may neither allocate nor lock: the lines are
/// made at the start but for the digits of their time, the buffers lie where they always lay, and their
/// counts are atomic. If the file does not take the lines, an alarm ends the process all the same.
package enum CrashReport {
    private static let signals: [(number: CInt, name: StaticString)] = [
        (SIGSEGV, "SIGSEGV"), (SIGBUS, "SIGBUS"), (SIGILL, "SIGILL"), (SIGTRAP, "SIGTRAP"),
        (SIGFPE, "SIGFPE"), (SIGABRT, "SIGABRT"), (SIGSYS, "SIGSYS"),
        (SIGQUIT, "SIGQUIT"), (SIGXCPU, "SIGXCPU"), (SIGSTKFLT, "SIGSTKFLT"),
    ]
    /// From the fault to the end, at most.
    private static let patience = 700_000

    /// A whole line in a place of its own; longer than any of ours.
    private typealias Line = InlineArray<256, UInt8>

    /// The two that a log writes from.
    typealias Buffers = (LineBuffer, LineBuffer)

    enum Slot { case log, audit }

    fileprivate final class Preparation: Sendable {
        /// Of the log, and of the audit log if there is one.
        let buffers: [Buffers]
        let lines: [(number: CInt, text: InlineArray<256, UInt8>, count: Int)]
        /// Where the time stands in them.
        let timeOffset: Int

        init(_ buffers: [Buffers], _ format: LogFormat) {
            self.buffers = buffers
            lines = signals.map { number, name in
                let event = Crashed(signal: name, processID: POSIX.processID())
                let bytes = LogLine.whole(event, at: Timestamp(seconds: 0), format)
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

    /// Catches the signals of faults from now on, for these logs.
    static func install(_ buffers: [Buffers], _ format: LogFormat) {
        // Sound: nobody reads it before the handlers are there; the calls below are handed
        // structures of ours that outlive them.
        unsafe preparation = Preparation(buffers, format)
        for (number, _) in signals {
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { die($0) }
            // Once: a fault in the handler ends the process.
            action.sa_flags = CInt(bitPattern: UInt32(SA_RESETHAND)) | SA_NODEFER
            _ = unsafe sigaction(number, &action, nil)
        }
    }

    /// Where lines go now; -1 for nowhere.
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
            it_interval: timeval(), it_value: timeval(tv_sec: 0, tv_usec: patience))
        // Ignored it would end nothing.
        Glibc.signal(SIGALRM, SIG_DFL)
        // Sound: each of these calls is handed a structure on this stack, which outlives it.
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
            // Sound as above.
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            let stamp = Timestamp(
                milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
            ).rfc3339
            var line = text
            // Every format has the 24 characters of a time behind `timeOffset`.
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

    /// Keeps whoever would write from now on waiting for the end.
    static func haltIfBegun() {
        while hasBegun.load(ordering: .sequentiallyConsistent) { pause() }
    }

    /// Another thread may be writing right now; it has a moment to end that.
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

/// Sound: set once, before the first handler is there to read it, and never let go.
nonisolated(unsafe) private var preparation: CrashReport.Preparation?

/// The handler. Nothing here allocates, locks, or calls what might.
private func die(_ signal: CInt) {
    // A second thread that faults meanwhile waits for the end.
    guard !CrashReport.hasBegun.exchange(true, ordering: .sequentiallyConsistent) else {
        while true { pause() }
    }
    // Sound: see there.
    if let prepared = unsafe preparation { CrashReport.report(signal, prepared) }
    // Its default action: the system's own report, a core file where there is to be one.
    Glibc.signal(signal, SIG_DFL)
    raise(signal)
    // A signal that somebody has blocked.
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
