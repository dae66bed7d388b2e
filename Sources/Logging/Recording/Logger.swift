import Dispatch
import Glibc
import POSIX
import Synchronization
import Time

/// The log. `record` stores an event as a line in memory; `commit` returns once every line recorded
/// before it is in the file.
///
/// Theory. Recording formats the event on the caller's stack, then holds one lock while it stamps
/// the line and copies it. A commit is led by one of the waiting threads: it takes the whole
/// buffer, releases the lock, and writes everything with one write(2). The other threads wait for
/// that write. So a batch of requests costs one system call, whatever the number of threads, and
/// the lines are in the file in the order of their times.
///
/// Failure. Lines that could not be written stay in memory, in order, up to `capacity`. Beyond
/// that, new lines are counted and dropped, and the first line that can be written again reports
/// the count. Each `commit` returns the true result.
///
/// Audit. Evidence also goes to a second file, which has a logger of its own. That logger receives
/// formatted lines, and shares nothing else with this one. `LineLimits` limits, for both files, the
/// lines that clients can cause at will.
@usableFromInline
package final class Logger: Sendable {
    /// The maximum number of bytes waiting in memory: twenty thousand lines of 200 bytes.
    private static let capacity = 4 << 20
    /// A recorder that finds this many bytes waiting writes them itself, which bounds the batches.
    private static let writeThreshold = 128 << 10
    /// The longest line in bytes, with its time and line end.
    package static let maximumLine = 8192
    /// The interval of `performMaintenance`: a removed file is noticed within a second, and a seal
    /// is at most that late.
    private static let maintenanceInterval = TimeAmount(milliseconds: 500)
    /// Between two lines of the audit log about dropped lines: clients can cause them, and no
    /// budget covers them.
    private static let auditDropInterval = TimeAmount.seconds(60)

    /// How often a committer yields before it sleeps. A write of a batch takes a few microseconds,
    /// and a yield half a microsecond.
    private static let yields = 16

    @usableFromInline package let levels: LogLevels
    private let clock: WallClock
    private let fileSystem: any FileSystem
    private let format: LogFormat
    private let standardError: StandardErrorSink
    /// Whether lines that affect access must be on disk before their response is sent.
    package let syncsAccessChanges: Bool
    /// See `LogOptions`.
    package let tokensNeedNoPassword: Bool
    private let retryDelays: ClosedRange<TimeAmount>
    private let limits: LineLimits
    /// The logger of the audit log.
    private let audit: Logger?
    /// The options that the audit log was last given.
    private let auditOptions: Monitor<LogOptions.Audit?>
    /// Names this file in messages; empty for the first file.
    private let label: String
    private let fileName: String
    /// Events about this file, until they are recorded in the other log. No other lock may be held
    /// with this one.
    private let reports = Monitor(FileReports())

    /// Guards the buffer and the counters. Never held during a system call on the file.
    private let state: Monitor<State>
    /// The file and the batch being written. Only the thread with the write turn
    /// (`State.isWriting`) uses it.
    private let writer: LogWriter
    /// Copies of `State.written`, while nothing fails, and of `State.isWriting`, for reading
    /// without the lock.
    private let committedCount = Atomic<UInt64>(0)
    private let isBusy = Atomic<Bool>(false)
    /// Nothing waits and nothing has failed: a caller that has recorded nothing here need not
    /// commit.
    private let isSettled = Atomic<Bool>(true)
    private let timer = Monitor<(any DispatchSourceTimer)?>(nil)
    private let syncs = LogSynchronizer()

    fileprivate struct State {
        var stamp: TimestampPrefix
        var pending: LineBuffer
        /// Lines recorded and written since the start; the difference is waiting.
        var recorded: UInt64 = 0
        var written: UInt64 = 0
        /// Bytes of the recorded lines.
        var recordedBytes: UInt64 = 0
        var isWriting = false
        /// The final seal is written; lines recorded now are not written.
        var isFinished = false
        /// Bytes being written; they count towards `capacity`.
        var underway = 0
        /// A waiting line must be on disk soon.
        var mustSync = false
        /// Why lines that must be on disk are not.
        var owedSyncFailure: Errno?
        /// Failed writes since the start.
        var failedWrites: UInt64 = 0
        /// Why the last write failed; nil if it succeeded.
        var failure: Errno?
        /// Why the path could not be opened again after another program had moved the file.
        var reopenFailure: Errno?
        /// Why the last sync by `performMaintenance` failed.
        var syncFailure: Errno?
        /// When the next write is tried after a failure, and the delay after that.
        var retryTime = MonotonicTime(nanoseconds: 0)
        var retryDelay: TimeAmount
        /// Dropped lines that are not reported yet.
        var dropped: UInt64 = 0
        /// When the next report about them is allowed.
        var dropReportTime = MonotonicTime(nanoseconds: 0)
        /// Dropped lines since the start, and why the last one was dropped.
        var droppedEver: UInt64 = 0
        var dropReason = Errno.noBufferSpace
        /// About when the oldest kept line was written; nil while nothing was removed.
        var oldest: Timestamp?
    }

    /// The result of `commit`.
    package enum CommitResult: Sendable, Equatable {
        /// Every line recorded before the call is in the file.
        case written
        /// Some lines are not.
        case failed(Errno)
    }

    /// Opens the file, and that of the audit log if it is configured, and writes the first line of
    /// each.
    package convenience init(
        _ options: LogOptions, clock: WallClock = .system,
        fileSystem: any FileSystem = SystemFileSystem(), standardErrorDescriptor: CInt = 2
    ) throws(LogOpenError) {
        let levels = LogLevels(
            all: options.level, areas: options.areas, file: options.fileLevel ?? .debug,
            standardError: options.standardErrorLevel,
            audit: options.audit.map { $0.level ?? .info })
        try self.init(
            options, clock, fileSystem, levels,
            StandardErrorSink(descriptor: standardErrorDescriptor), label: "")
    }

    /// - Parameter label: empty for the first file, which opens the second.
    private init(
        _ options: LogOptions, _ clock: WallClock, _ fileSystem: any FileSystem,
        _ levels: LogLevels, _ standardError: StandardErrorSink, label: String
    ) throws(LogOpenError) {
        self.levels = levels
        self.label = label
        fileName = LogFileNames.base(of: options.path)
        self.standardError = standardError
        self.clock = clock
        self.fileSystem = fileSystem
        format = options.format
        syncsAccessChanges = options.durability == .synced
        tokensNeedNoPassword = options.tokensNeedNoPassword
        retryDelays = options.retryDelays
        limits = LineLimits(hasAudit: options.audit != nil, at: clock.monotonic())
        auditOptions = Monitor(options.audit)
        let rotating = try RotatingFile(
            RotatingFile.Options(options), fileSystem, clock: clock)
        // Space for the waiting lines, and for the logger's own lines, which are never dropped.
        let capacity = Self.capacity + Self.writeThreshold
        state = Monitor(
            State(
                stamp: TimestampPrefix(options.format), pending: LineBuffer(capacity: capacity),
                retryDelay: options.retryDelays.lowerBound))
        writer = LogWriter(rotating, LineBuffer(capacity: capacity), fileSystem)
        // Before the first line is written: a start that fails here leaves an empty log.
        if let options = options.ofAudit() {
            do throws(LogOpenError) {
                audit = try Logger(
                    options, clock, fileSystem, levels, standardError,
                    label: LogFileNames.base(of: options.path) + ": ")
            } catch {
                throw .audit(error)
            }
        } else {
            audit = nil
        }
        performMaintenance()
    }

    /// Why the last write to either file failed, or the last sync of lines that must be on disk;
    /// nil if neither did.
    package var failure: Errno? {
        state.withLock { $0.failure ?? $0.owedSyncFailure } ?? audit?.failure
    }

    /// Counts since the start, and what is waiting now.
    package struct Statistics: Sendable, Equatable {
        /// Lines accepted for the file, and their bytes; without seals and the file's own lines.
        package var lines: UInt64
        package var bytes: UInt64
        /// Lines that were lost because `capacity` was reached.
        package var dropped: UInt64
        package var failedWrites: UInt64
        /// Lines that are not in the file yet.
        package var waiting: UInt64
        /// Lines that the limits suppressed; summary lines report their number.
        package var suppressed: UInt64
        /// About when the oldest kept line was written; nil while this process has removed none.
        package var oldest: Timestamp?
    }

    package var statistics: Statistics { statistics(suppressed: limits.suppressed.log) }

    /// Nil if there is no audit log.
    package var auditStatistics: Statistics? {
        audit?.statistics(suppressed: limits.suppressed.audit)
    }

    private func statistics(suppressed: UInt64) -> Statistics {
        state.withLock {
            Statistics(
                lines: $0.recorded, bytes: $0.recordedBytes, dropped: $0.droppedEver,
                failedWrites: $0.failedWrites, waiting: $0.recorded - $0.written,
                suppressed: suppressed, oldest: $0.oldest)
        }
    }

    // MARK: Record

    /// Records the event, if its level and area are enabled. Inlinable, so that a disabled event
    /// costs its caller two loads.
    @inlinable
    package func record(_ event: some LogEvent) {
        guard
            levels.isEnabled(event.level, event.area)
                || levels.isForAudit(event.level, event.area)
        else { return }
        recordEnabled(event)
    }

    @usableFromInline
    func recordEnabled(_ event: some LogEvent) {
        let level = event.level
        var sinks = Sinks()
        if levels.isEnabled(level, event.area) {
            sinks.file = levels.isForFile(level, event.area)
            sinks.standardError =
                levels.isForStandardError(level) && !(event.isPerRequest && levels.hasNoOwnLevel)
        }
        if audit != nil, levels.isForAudit(level, event.area) { sinks.audit = isEvidence(event) }
        guard sinks.isAny else { return }
        let mustSync = level == .critical || syncsAccessChanges && event.affectsAccess
        if var source = event.source {
            if tokensNeedNoPassword { source.ignoreToken() }
            return recordLimited(event, source, &sinks, mustSync: mustSync)
        }

        // Nearly all lines fit; a longer one is formatted again, on the heap.
        var memory = InlineArray<1024, UInt8>(repeating: 0)
        var line = LogLine(memory.mutableSpan, format)
        line.write(event)
        let count = line.count
        let lacksRoom = line.isTooLong
        if !lacksRoom {
            enqueue(memory.span.extracting(0..<count), level, sinks, mustSync: mustSync)
        } else {
            recordLong(event, sinks, mustSync: mustSync)
        }
    }

    /// The destinations of a line.
    private struct Sinks {
        var file = false
        var standardError = false
        var audit = false
        var isAny: Bool { file || standardError || audit }
    }

    private func isEvidence(_ event: some LogEvent) -> Bool {
        switch event.evidence {
        case .no: false
        case .yes: true
        case .firstInHour(let subject): limits.isFirst(of: subject, at: clock.monotonic())
        }
    }

    /// Records a line that did not fit on the stack.
    private func recordLong(_ event: some LogEvent, _ sinks: Sinks, mustSync: Bool) {
        var memory = [UInt8](repeating: 0, count: LogLine.maximumCount)
        var line = LogLine(memory.mutableSpan, format)
        line.write(event)
        let count = line.count
        enqueue(memory.span.extracting(0..<count), event.level, sinks, mustSync: mustSync)
    }

    /// Records a line that clients can cause at will.
    private func recordLimited(
        _ event: some LogEvent, _ source: LogSource, _ sinks: inout Sinks, mustSync: Bool
    ) {
        let now = clock.monotonic()
        let verdict = limits.admit(
            event, source, isForLog: sinks.file || sinks.standardError, isForAudit: sinks.audit,
            at: now)
        if !verdict.isForLog { (sinks.file, sinks.standardError) = (false, false) }
        sinks.audit = verdict.audit != nil
        guard sinks.isAny else { return }
        let count = recordShort(event, sinks, mustSync: mustSync)
        if let admission = verdict.audit {
            limits.charge(admission, source, byteCount: count, at: now)
        }
    }

    /// Records a line, truncated to the maximum length of a budgeted line.
    /// - Returns: the bytes of the whole line.
    @discardableResult
    private func recordShort(_ event: some LogEvent, _ sinks: Sinks, mustSync: Bool) -> Int {
        var memory = InlineArray<1024, UInt8>(repeating: 0)
        var whole = memory.mutableSpan
        var line = LogLine(
            whole._mutatingExtracting(
                0..<(LineBudget.maximumLine - TimestampPrefix.maximumLength - 1)), format)
        line.write(event)
        let count = line.count
        enqueue(memory.span.extracting(0..<count), event.level, sinks, mustSync: mustSync)
        return count + TimestampPrefix.maximumLength + 1
    }

    private func recordSummaries(all: Bool) {
        let now = clock.monotonic()
        let summaries = limits.takeSummaries(at: now, all: all)
        for summary in summaries.log {
            var sinks = Sinks()
            if levels.isEnabled(summary.level, summary.area) {
                sinks.file = levels.isForFile(summary.level, summary.area)
                sinks.standardError = levels.isForStandardError(summary.level)
            }
            if sinks.isAny { recordShort(summary, sinks, mustSync: false) }
        }
        for summary in summaries.audit {
            let count = recordShort(summary, Sinks(audit: true), mustSync: false)
            limits.charge(.summary, nil, byteCount: count, at: now)
        }
    }

    private func enqueue(_ line: Span<UInt8>, _ level: Level, _ sinks: Sinks, mustSync: Bool) {
        if sinks.audit, let audit {
            // Only one of the two loggers writes it to standard error.
            let isTold = sinks.standardError || sinks.file
            audit.keep(
                line, level, mustSync: mustSync, isForFile: true,
                isForStandardError: false, isToldOfFailure: !isTold)
        }
        if sinks.file || sinks.standardError {
            keep(
                line, level, mustSync: mustSync, isForFile: sinks.file,
                isForStandardError: sinks.standardError, isToldOfFailure: true)
        }
    }

    /// - Parameter isToldOfFailure: while the file cannot be written, a line at WARNING or above is
    ///   written to standard error at least.
    private func keep(
        _ line: Span<UInt8>, _ level: Level, mustSync: Bool, isForFile: Bool,
        isForStandardError: Bool, isToldOfFailure: Bool
    ) {
        let isFull = state.withLock { state in
            state.stamp.set(clock.now())
            if isForStandardError || isToldOfFailure && state.failure != nil && level >= .warning {
                var whole: [UInt8] = []
                state.stamp.append(line, to: &whole)
                standardError.append(whole.span)
            }
            guard isForFile else { return false }
            isSettled.store(false, ordering: .relaxed)
            let waiting = state.pending.count + state.underway
            guard waiting + line.count + TimestampPrefix.maximumLength + 1 <= Self.capacity else {
                state.dropped += 1
                state.droppedEver += 1
                state.dropReason = state.failure ?? .noBufferSpace
                return false
            }
            state.add(line, mustSync)
            return state.pending.count >= Self.writeThreshold && state.failure == nil
        }
        if isFull { _ = commitFile() }
    }

    // MARK: Commit

    private enum Turn {
        case done(CommitResult)
        /// This thread writes everything that waits, up to a line.
        case mine(Batch)
        /// Another thread is writing.
        case others
    }

    private struct Batch {
        let lineCount: Int
        let mustSync: Bool
        /// If the last write failed, what the first line reports: the number of dropped lines and
        /// the error.
        let recovery: (dropped: UInt64, error: Errno)?
    }

    /// Returns when every line recorded before the call is in its files, or could not be written.
    /// Does not wait for the disk; see `synchronize`.
    package func commit() -> CommitResult {
        let outcome = commitFile()
        guard let audit, !audit.isSettled.load(ordering: .acquiring) else { return outcome }
        let second = audit.commitFile()
        return outcome == .written ? second : outcome
    }

    private func commitFile() -> CommitResult {
        let (target, failedWrites, lost, first) = state.withLock { state in
            let lost = (state.dropped > 0 ? state.failure : nil) ?? state.owedSyncFailure
            let turn =
                state.isWriting
                ? Turn.others : take(&state, upTo: state.recorded, lost, state.failedWrites)
            return (state.recorded, state.failedWrites, lost, turn)
        }
        var turn = first
        if case .others = turn {
            if yieldUntilSettled(target) { return lost.map(CommitResult.failed) ?? .written }
            turn = state.waitUntil(
                { !$0.isWriting }, then: { take(&$0, upTo: target, lost, failedWrites) })
        }
        guard case .mine(let batch) = turn else {
            guard case .done(let outcome) = turn else { preconditionFailure("unexpected turn") }
            return outcome
        }
        if let error = write(batch) { return .failed(error) }
        return lost.map(CommitResult.failed) ?? .written
    }

    /// Yields for about as long as a write takes, which usually costs less than sleeping and
    /// waking.
    /// - Returns: false if that was not enough, or if no thread is writing.
    private func yieldUntilSettled(_ target: UInt64) -> Bool {
        for _ in 0..<Self.yields {
            sched_yield()
            if committedCount.load(ordering: .acquiring) >= target { return true }
            if !isBusy.load(ordering: .relaxed) { break }
        }
        return false
    }

    /// Decides whether there is something to write, and takes the write turn if so.
    private func take(
        _ state: inout State, upTo target: UInt64, _ lost: Errno?, _ failedWrites: UInt64
    ) -> Turn {
        // After the final seal nothing is written.
        if state.isFinished, state.written < target { return .done(.failed(.socketShutdown)) }
        if state.written >= target && state.failure == nil || state.isFinished {
            return .done(lost.map(CommitResult.failed) ?? .written)
        }
        if let failure = state.failure {
            // A thread that waited for a failed write does not repeat it at once, and no thread
            // does before the retry time.
            if state.failedWrites != failedWrites || MonotonicTime.now < state.retryTime {
                let isWritten = state.written >= target && lost == nil
                return .done(isWritten ? .written : .failed(failure))
            }
        }
        return .mine(take(&state))
    }

    /// Takes the write turn, and everything that waits.
    private func take(_ state: inout State) -> Batch {
        state.isWriting = true
        isBusy.store(true, ordering: .relaxed)
        state.underway = state.pending.count
        defer { state.mustSync = false }
        writer.take(&state.pending)
        return Batch(
            lineCount: Int(state.recorded - state.written),
            mustSync: state.mustSync,
            recovery: state.failure.map { (state.dropped, $0) })
    }

    /// As `commit()`, for a caller whose lines may come from several threads. Returns `.failed`
    /// also if any line was dropped since the last call with this mark: it may be one of the
    /// caller's, and another caller's commit may have reported it.
    package func commit(since mark: inout UInt64) -> CommitResult {
        let outcome = commit()
        var (dropped, reason) = state.withLock { ($0.droppedEver, $0.dropReason) }
        if let audit {
            let (more, auditReason) = audit.state.withLock { ($0.droppedEver, $0.dropReason) }
            if more > 0, dropped + more != mark { reason = auditReason }
            dropped += more
        }
        guard dropped != mark else { return outcome }
        mark = dropped
        return .failed(reason)
    }

    /// Lines dropped from either file since the start: a mark for `commit(since:)`.
    package var droppedLines: UInt64 {
        state.withLock { $0.droppedEver } + (audit?.droppedLines ?? 0)
    }

    /// Writes the batch, and releases the write turn.
    /// - Returns: why it could not be written.
    private func write(_ batch: Batch) -> Errno? {
        let recovered = batch.recovery.map { dropped, error in
            LogRecovered(
                reason: "writable", dropped: Int64(clamping: dropped), error: error.description)
        }
        let outcome = writer.write(announcing: recovered, lineCount: batch.lineCount)
        let hasMore = giveBack(outcome, recovered)
        if batch.mustSync { beginSync() }
        // The log's own lines should be readable as soon as the file can be written.
        if hasMore { _ = commitFile() }
        return outcome.error
    }

    /// Releases the write turn, and reports the result.
    private func giveBack(_ outcome: LogWriter.WriteResult, _ recovered: LogRecovered?) -> Bool {
        let rotationFailure = writer.takeRotationFailure()
        let news = writer.takeNews()
        CrashReport.setDescriptor(writer.fileDescriptor, of: crashSlot)
        let now = clock.monotonic()
        let (isNew, dropped) = state.withLock { state in
            state.isWriting = false
            state.oldest = writer.oldest
            isBusy.store(false, ordering: .relaxed)
            state.underway = 0
            state.written += UInt64(outcome.lines)
            if outcome.error == nil { committedCount.store(state.written, ordering: .releasing) }
            if outcome.hasAnnounced, let told = recovered?.dropped {
                state.dropped -= UInt64(clamping: told)
            }
            let isNew = (state.failure == nil) != (outcome.error == nil)
            state.failure = outcome.error
            writer.giveBack(&state.pending)
            guard outcome.error == nil else {
                state.failedWrites += 1
                if isNew { state.retryDelay = retryDelays.lowerBound }
                state.retryTime = MonotonicTime.now + state.retryDelay
                state.retryDelay = min(
                    TimeAmount(milliseconds: state.retryDelay.milliseconds * 2),
                    retryDelays.upperBound)
                return (isNew, UInt64(0))
            }
            let dropped = state.takeDropped(at: now, interval: dropInterval)
            if state.written == state.recorded, dropped == 0, state.owedSyncFailure == nil {
                isSettled.store(true, ordering: .releasing)
            }
            return (isNew, dropped)
        }
        state.wakeAll()
        // Everything below is rare.
        for event in news { reportToStandardError(event) }
        // A file that cannot be rotated grows past its size; the operator must know.
        if let rotationFailure {
            recordNotice(LogFailed(reason: "\(label)cannot rotate: \(rotationFailure.description)"))
        }
        if let error = outcome.error {
            if isNew {
                reportToStandardError(LogFailed(reason: label + error.description), always: true)
            }
            return false
        }
        let owesWord = isNew && recovered != nil && !outcome.hasAnnounced
        if isNew, let recovered {
            if owesWord { enqueueFormatted(recovered) }
            reportToStandardError(recovered, always: true)
        }
        if dropped > 0 { enqueueUnconditionally(LogDropped(dropped: Int64(clamping: dropped))) }
        return dropped > 0 || rotationFailure != nil || owesWord
    }

    private var dropInterval: TimeAmount {
        label.isEmpty ? TimeAmount(milliseconds: 0) : Self.auditDropInterval
    }

    /// Reports dropped lines that are not reported yet, if the interval has passed.
    /// - Parameter all: report in any case, because no other report follows.
    private func reportDropped(all: Bool) {
        let now = clock.monotonic()
        let interval = all ? TimeAmount(milliseconds: 0) : dropInterval
        let dropped = state.withLock { state in
            if all { state.dropReportTime = now }
            // While the file cannot be written, `log_recovered` will report them.
            return state.failure == nil && !state.isFinished
                ? state.takeDropped(at: now, interval: interval) : 0
        }
        if dropped > 0 { enqueueUnconditionally(LogDropped(dropped: Int64(clamping: dropped))) }
    }

    /// Records an event about this file. The audit log has no levels to check.
    private func recordNotice(_ event: some LogEvent) {
        if label.isEmpty { record(event) } else { enqueueUnconditionally(event) }
    }

    /// Records a line whatever the levels and the free space are.
    private func enqueueUnconditionally(_ event: some LogEvent) {
        enqueueFormatted(event)
        reportToStandardError(event)
    }

    private func enqueueFormatted(_ event: some LogEvent) {
        let line = LogLine.formatted(event, at: clock.now(), format)
        state.withLock { state in
            state.addWhole(line.span)
            isSettled.store(false, ordering: .relaxed)
        }
    }

    /// - Parameter always: write the event whatever the level of standard error is, because it is
    ///   about writes to the file that fail or have failed.
    private func reportToStandardError(_ event: some LogEvent, always: Bool = false) {
        if event.level >= .warning, audit != nil || !label.isEmpty {
            let now = clock.monotonic()
            reports.withLock { $0.add(event, at: now) }
        }
        guard always || levels.isForStandardError(event.level) else { return }
        standardError.append(LogLine.formatted(event, at: clock.now(), format).span)
    }

    // MARK: Maintenance

    /// Calls `performMaintenance` regularly from now on.
    package func startMaintenance() {
        let source = DispatchSource.makeTimerSource(
            queue: DispatchQueue(label: "gatehouse.log.keep-up"))
        let interval = DispatchTimeInterval.milliseconds(Int(Self.maintenanceInterval.milliseconds))
        source.schedule(deadline: .now() + interval, repeating: interval, leeway: .milliseconds(50))
        source.setEventHandler { [weak self] in self?.performMaintenance() }
        source.resume()
        timer.withLock { $0 = source }
    }

    /// Does what no request triggers: writes summaries of suppressed lines, notices a moved file,
    /// writes and seals what waits, seals silence, repeats what failed, and syncs everything to
    /// disk.
    package func performMaintenance() {
        guard !state.withLock({ $0.isFinished }) else { return }
        recordSummaries(all: false)
        exchangeReports(all: false)
        maintainFile()
        audit?.maintainFile()
    }

    /// Records in each log the events about the file of the other, so that a removed or damaged log
    /// has a witness.
    private func exchangeReports(all: Bool) {
        guard let audit else { return }
        for event in takeReports(all: all) where levels.isForAudit(event.level, event.area) {
            audit.enqueueFormatted(event)
        }
        for event in audit.takeReports(all: all) where levels.isForFile(event.level, event.area) {
            enqueueFormatted(event)
        }
    }

    private func takeReports(all: Bool) -> [OtherLogEvent] {
        let now = clock.monotonic()
        return reports.withLock { $0.take(at: now, all: all) }.map {
            OtherLogEvent(event: $0.event, log: fileName, suppressed: $0.suppressed)
        }
    }

    private func maintainFile() {
        guard !state.withLock({ $0.isFinished }) else { return }
        reportDropped(all: false)
        reopenIfGone()
        _ = commitFile()
        beginWriteTurn()
        let isWell = state.withLock { $0.failure == nil && !$0.isFinished }
        guard isWell else { return endWriteTurn() }
        let error = writer.performMaintenance()
        let unsynced = writer.unsynced()
        _ = giveBack(LogWriter.WriteResult(error: error), nil)
        guard let unsynced else { return }
        let failure = synchronize(unsynced)
        let told = state.withLock { state in
            defer { state.syncFailure = failure }
            return state.syncFailure ?? state.owedSyncFailure
        }
        if failure == nil { reportSynced() }
        if let failure, failure != told {
            reportToStandardError(LogFailed(reason: "\(label)cannot sync: \(failure.description)"))
        }
    }

    // MARK: Syncing

    /// Calls `done` on another thread once every line recorded before the call is on disk in both
    /// files, or could not be synced. One sync of a file serves all waiting callers.
    package func synchronize(_ done: @escaping @Sendable (CommitResult) -> Void) {
        guard let audit else { return synchronizeFile(done) }
        synchronizeFile { outcome in
            audit.synchronizeFile { done(outcome == .written ? $0 : outcome) }
        }
    }

    private func synchronizeFile(_ done: @escaping @Sendable (CommitResult) -> Void) {
        beginSync(LogSynchronizer.Waiter(target: state.withLock { $0.recorded }, done: done))
    }

    private func beginSync(_ waiter: LogSynchronizer.Waiter? = nil) {
        syncs.request(waiter) { self.syncFile() }
    }

    /// - Returns: the number of lines on disk since the start, or why they are not.
    private func syncFile() -> LogSynchronizer.Result {
        _ = commitFile()
        beginWriteTurn()
        let (written, failure) = state.withLock { ($0.written, $0.failure) }
        let unsynced = writer.unsynced()
        endWriteTurn()
        if let failure { return .failed(failure) }
        if let unsynced, let error = synchronize(unsynced) {
            let isNew = state.withLock { state in
                defer { state.owedSyncFailure = error }
                isSettled.store(false, ordering: .releasing)
                return state.owedSyncFailure == nil
            }
            if isNew {
                reportToStandardError(LogFailed(reason: label + error.description), always: true)
            }
            return .failed(error)
        }
        reportSynced()
        return .onDisk(written)
    }

    /// Runs without the write turn, because a sync can take long.
    private func synchronize(_ unsynced: PendingSync.Snapshot) -> Errno? {
        syncs.oneAtATime {
            do throws(Errno) {
                try unsynced.synchronize(fileSystem)
            } catch {
                return error
            }
            beginWriteTurn()
            try? writer.markSynced(unsynced)
            endWriteTurn()
            return nil
        }
    }

    /// Reports that syncs work again, if they had failed.
    private func reportSynced() {
        let failure = state.withLock { state in
            defer { state.owedSyncFailure = nil }
            return state.owedSyncFailure
        }
        guard let failure else { return }
        let recovered = LogRecovered(reason: "synced", dropped: nil, error: failure.description)
        enqueueFormatted(recovered)
        reportToStandardError(recovered, always: true)
        _ = commitFile()
    }

    /// Checks whether the path still leads to the open file, and reopens it if not.
    private func reopenIfGone() {
        beginWriteTurn()
        let told = state.withLock { $0.reopenFailure }
        var failure: Errno?
        do throws(Errno) {
            try writer.reopenIfGone()
        } catch {
            failure = error
        }
        state.withLock { $0.reopenFailure = failure }
        endWriteTurn()
        if let failure, failure != told {
            recordNotice(LogFailed(reason: "\(label)cannot reopen: \(failure.description)"))
        }
    }

    /// Waits for the write turn, and takes it.
    private func beginWriteTurn() {
        state.waitUntil({ !$0.isWriting }, then: { $0.isWriting = true })
        writer.begin()
    }

    /// Releases the write turn after work that wrote no lines.
    private func endWriteTurn() {
        CrashReport.setDescriptor(writer.fileDescriptor, of: crashSlot)
        writer.end()
        state.withLock { $0.isWriting = false }
        state.wakeAll()
    }

    // MARK: Lifecycle

    /// Installs the crash handler, which writes a last line if the process dies of a fault. For one
    /// logger of a process.
    package func installCrashReport() {
        beginWriteTurn()
        audit?.beginWriteTurn()
        CrashReport.install([buffers] + (audit.map { [$0.buffers] } ?? []), format)
        audit?.endWriteTurn()
        endWriteTurn()
    }

    private var buffers: CrashReport.Buffers { (state.withLock { $0.pending }, writer.buffer) }
    private var crashSlot: CrashReport.Slot { label.isEmpty ? .log : .audit }

    /// Opens the paths of both files again, because another program has moved the files.
    /// - Throws: why one cannot be opened; then the old file stays in use.
    package func reopen() throws(Errno) {
        var failure: Errno?
        for file in [self, audit].compactMap(\.self) {
            do throws(Errno) {
                try file.reopenFile()
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        performMaintenance()
    }

    private func reopenFile() throws(Errno) {
        _ = commitFile()
        beginWriteTurn()
        var failure: Errno?
        do throws(Errno) {
            try writer.reopen()
        } catch {
            failure = error
        }
        endWriteTurn()
        if let failure { throw failure }
    }

    /// Applies the options that may change while the log is open: levels, the files' limits, and
    /// the key of the seals. Everything else stays, also whether there is an audit log.
    /// - Returns: why the old key stays in use, if it does.
    package func change(to options: LogOptions) -> Errno? {
        var options = options
        auditOptions.withLock { current in
            if let current { options.audit = options.audit ?? current }
            current = current == nil ? nil : options.audit
        }
        levels.set(all: options.level, areas: options.areas)
        levels.set(
            file: options.fileLevel ?? .debug, standardError: options.standardErrorLevel,
            audit: audit == nil ? nil : options.audit?.level ?? .info)
        let error = changeFile(to: options)
        guard let audit, let own = options.ofAudit() else { return error }
        return audit.changeFile(to: own) ?? error
    }

    private func changeFile(to options: LogOptions) -> Errno? {
        _ = commitFile()
        beginWriteTurn()
        defer { endWriteTurn() }
        return writer.change(to: RotatingFile.Options(options))
    }

    /// The last seal; nil if the log is not sealed.
    package var head: SealHead? {
        beginWriteTurn()
        defer { endWriteTurn() }
        return writer.head
    }

    /// Writes what waits to both sinks, and seals it.
    /// - Returns: the number of lines that could not be written and are lost.
    package func stop() -> Int {
        timer.withLock { timer in
            timer?.cancel()
            timer = nil
        }
        recordSummaries(all: true)
        reportDropped(all: true)
        audit?.reportDropped(all: true)
        exchangeReports(all: true)
        let lost = stopFile() + (audit?.stopFile() ?? 0)
        standardError.flush(within: 1)
        return lost
    }

    private func stopFile() -> Int {
        state.withLock { $0.retryTime = MonotonicTime(nanoseconds: 0) }
        _ = commitFile()
        reportDropped(all: true)
        _ = commitFile()
        beginWriteTurn()
        let wasFinished = state.withLock { $0.isFinished }
        let isFinished = wasFinished || writer.finish() == nil
        state.withLock { $0.isFinished = isFinished }
        for event in writer.takeNews() { reportToStandardError(event) }
        endWriteTurn()
        // Nothing may follow the final seal, not even the line of the crash handler.
        if isFinished { CrashReport.setDescriptor(-1, of: crashSlot) }
        return state.withLock { state in
            Int(clamping: state.recorded - state.written + state.dropped)
        }
    }
}

extension RotatingFile.Options {
    fileprivate init(_ options: LogOptions) {
        self.init(
            path: options.path, maximumSize: options.maximumSize,
            rotatesDaily: options.rotatesDaily,
            retention: Retention(
                maximumFiles: options.maximumFiles, maximumAge: options.maximumAge,
                maximumTotalSize: options.maximumTotalSize),
            format: options.format, seal: options.seal, minimumHistory: options.leastHistory)
    }
}

extension Logger.State {
    /// Appends a line to those that wait.
    fileprivate mutating func add(_ line: Span<UInt8>, _ mustSync: Bool) {
        pending.append(stamp.text, line)
        recorded += 1
        recordedBytes += UInt64(stamp.text.count + line.count + 1)
        if mustSync { self.mustSync = true }
    }

    /// Returns the number of dropped lines to report, and resets it. 0 before the interval has
    /// passed.
    fileprivate mutating func takeDropped(
        at now: MonotonicTime, interval: TimeAmount
    ) -> UInt64 {
        guard dropped > 0, now >= dropReportTime else { return 0 }
        dropReportTime = now + interval
        defer { dropped = 0 }
        return dropped
    }

    /// As `add`, for a line that already has its time and line end.
    fileprivate mutating func addWhole(_ line: Span<UInt8>) {
        pending.append(line)
        recorded += 1
        recordedBytes += UInt64(line.count)
    }
}
