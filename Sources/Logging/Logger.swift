import POSIX
import Synchronization
import Time

/// The log: `record` keeps an event as a line in memory, `commit` returns once every line recorded
/// before it is in the file.
///
/// Theory. Recording formats on the caller's stack, then takes one lock for as long as it takes to
/// stamp the line and copy it. Committing makes one of the waiting threads the writer: it takes the
/// whole buffer, lets go of the lock, and writes all of it with one write(2); the others wait, and
/// find their lines written by it. So a batch of requests costs one system call, from however many
/// threads its lines come, and lines stand in the file in the order in which they got their time.
///
/// Failure. Lines that could not be written stay in memory, in order, up to `capacity`; past that,
/// new lines are counted instead of kept, and the first line that can be written again says how many
/// there were. `commit` tells its caller the truth each time.
package final class Logger: Sendable {
    /// Bytes that wait in memory at most. At 200 bytes a line, twenty thousand lines.
    private static let capacity = 4 * 1024 * 1024
    /// A recorder that finds this much waiting writes it itself, so that no batch grows past it.
    private static let writeThreshold = 128 * 1024
    /// The longest line, its time and line end included.
    package static let maximumLine = 8192
    /// Formatted on the stack; a longer line takes a second pass on the heap.
    private static let lineOnTheStack = 1024

    package let levels: LogLevels
    private let clock: WallClock
    private let fileLevel: Level
    private let standardErrorLevel: Level
    private let standardError: StandardErrorSink

    /// Guards the buffer and the counters. Never held during a system call on the file.
    private let state = Locked(State())
    /// The file and the batch on its way there, for whoever has the write turn
    /// (`State.isWriting`).
    private let writer: Writer

    private struct State {
        var stamp = LineStamp()
        var pending: [UInt8] = []
        /// Lines recorded and lines written, since the start. Their difference is what waits.
        var recorded: UInt64 = 0
        var written: UInt64 = 0
        var isWriting = false
        /// Bytes on their way to the file; they take room like those that wait.
        var underway = 0
        /// Writes that failed, since the start.
        var failedWrites: UInt64 = 0
        /// Why the last write failed; nil while all is well.
        var failure: Errno?
        /// Lines that found no room, since one was last reported.
        var dropped: UInt64 = 0
        /// The same since the start, and why the last of them found none.
        var droppedEver: UInt64 = 0
        var dropReason = Errno.noBuffers
    }

    /// What `commit` says.
    package enum Outcome: Sendable, Equatable {
        /// Every line recorded before is in the file.
        case written
        /// Some are not.
        case failed(Errno)
    }

    /// Opens the file.
    /// - Throws: why it cannot be opened.
    package init(
        _ options: LogOptions, clock: WallClock = .system,
        fileSystem: any FileSystem = SystemFileSystem(), standardErrorDescriptor: CInt = 2
    ) throws(Errno) {
        levels = LogLevels(all: options.level, areas: options.areas)
        fileLevel = options.fileLevel
        standardErrorLevel = options.standardErrorLevel
        self.clock = clock
        standardError = StandardErrorSink(descriptor: standardErrorDescriptor)
        let rotating = try RotatingFile(
            RotatingFile.Options(
                path: options.path, maximumSize: options.maximumSize, keep: options.keep),
            fileSystem)
        let wasTorn = rotating.endsInsideLine
        writer = Writer(rotating)
        record(LogOpened(file: RotatingFile.name(of: options.path)))
        if wasTorn { record(LogRecovered(reason: "torn_line", dropped: 0)) }
    }

    /// Whether the last attempt to write succeeded.
    package var isHealthy: Bool { state.withLock { $0.failure == nil } }

    // MARK: Record

    /// Keeps the event as a line, if its level and area are wanted.
    package func record(_ event: some LogEvent) {
        let level = event.level
        guard levels.isEnabled(level, event.area) else { return }
        let isForFile = level >= fileLevel || event.area == .security && level >= .warning
        let isForStandardError = level >= standardErrorLevel
        guard isForFile || isForStandardError else { return }

        var memory = InlineArray<1024, UInt8>(repeating: 0)
        var line = LogLine(memory.mutableSpan)
        line.begin(level, event.area, event.name)
        event.write(to: &line)
        let count = line.count
        let isTruncated = line.isTruncated
        if !isTruncated {
            keep(memory.span.extracting(0..<count), isForFile, isForStandardError)
        } else {
            recordLong(event, isForFile, isForStandardError)
        }
    }

    /// A line that did not fit on the stack; cut at `maximumLine`, and saying so.
    private func recordLong(
        _ event: some LogEvent, _ isForFile: Bool, _ isForStandardError: Bool
    ) {
        let ending = Array(" [cut]".utf8)
        let stampLength = 27
        let room = Self.maximumLine - stampLength - ending.count - 1
        var memory = [UInt8](repeating: 0, count: room)
        var line = LogLine(memory.mutableSpan)
        line.begin(event.level, event.area, event.name)
        event.write(to: &line)
        let count = line.count
        let isTruncated = line.isTruncated
        memory.removeSubrange(count...)
        if isTruncated {
            // Not inside a character.
            while let byte = memory.last, byte >= 0x80 {
                memory.removeLast()
                if byte >= 0xC0 { break }
            }
            memory += ending
        }
        keep(memory.span, isForFile, isForStandardError)
    }

    private func keep(_ line: Span<UInt8>, _ isForFile: Bool, _ isForStandardError: Bool) {
        let isFull = state.withLock { state in
            state.stamp.set(clock.now())
            if isForStandardError {
                var whole: [UInt8] = []
                Self.append(state.stamp, line, to: &whole)
                standardError.append(whole.span)
            }
            guard isForFile else { return false }
            let waiting = state.pending.count + state.underway
            guard waiting + line.count + 32 <= Self.capacity else {
                state.dropped += 1
                state.droppedEver += 1
                state.dropReason = state.failure ?? .noBuffers
                return false
            }
            Self.append(state.stamp, line, to: &state.pending)
            state.recorded += 1
            return state.pending.count >= Self.writeThreshold && state.failure == nil
        }
        if isFull { _ = commit() }
    }

    // MARK: Commit

    /// Returns when every line recorded before the call is in the file, or could not be written.
    package func commit() -> Outcome {
        enum Turn {
            case done(Outcome)
            case mine(upTo: UInt64)
        }
        var (target, failedWrites, lost) = state.withLock { state in
            (state.recorded, state.failedWrites, state.dropped > 0 ? state.failure : nil)
        }
        while true {
            let turn: Turn = state.waitUntil(
                { !$0.isWriting },
                then: { state in
                    if state.written >= target {
                        return .done(lost.map(Outcome.failed) ?? .written)
                    }
                    // Whoever waited for a writer that failed does not try the same again at once.
                    if state.failedWrites != failedWrites, let failure = state.failure {
                        return .done(.failed(failure))
                    }
                    state.isWriting = true
                    state.underway = state.pending.count
                    writer.take(&state.pending)
                    return .mine(upTo: state.recorded)
                })
            switch turn {
            case .done(let outcome): return outcome
            case .mine(let last):
                // What was lost is to be read as soon as the file can be written again.
                if write(upTo: last) { target = state.withLock { $0.recorded } }
            }
        }
    }

    /// The same for somebody whose lines may come from several threads: `.failed` also if any line
    /// at all has found no room since the last call with this mark, because it may be one of theirs,
    /// and somebody else's commit may have reported it meanwhile.
    package func commit(since mark: inout UInt64) -> Outcome {
        let outcome = commit()
        let (dropped, reason) = state.withLock { ($0.droppedEver, $0.dropReason) }
        guard dropped != mark else { return outcome }
        mark = dropped
        return .failed(reason)
    }

    /// Writes what the writer has taken, and gives the turn back.
    /// - Returns: whether that has led to further lines, about the log itself.
    private func write(upTo last: UInt64) -> Bool {
        let error = writer.write { fullFile in self.format(LogRotated(file: fullFile)) }
        // A file that cannot be rotated goes on past its size; the operator has to know.
        let rotationFailure = writer.takeRotationFailure()
        let (failedBefore, dropped) = state.withLock { state in
            state.isWriting = false
            state.underway = 0
            let failedBefore = state.failure != nil
            state.failure = error
            guard error == nil else {
                state.failedWrites += 1
                writer.giveBack(&state.pending)
                return (failedBefore, UInt64(0))
            }
            state.written = last
            defer { state.dropped = 0 }
            return (failedBefore, state.dropped)
        }
        state.wakeAll()
        if let rotationFailure {
            record(LogFailed(error: "cannot rotate: \(rotationFailure.words)"))
        }
        if let error {
            if !failedBefore { tellStandardError(LogFailed(error: error.words)) }
            return false
        }
        if dropped > 0 { insist(LogDropped(dropped: Int64(clamping: dropped))) }
        if failedBefore {
            record(LogRecovered(reason: "writable", dropped: Int64(clamping: dropped)))
        }
        return failedBefore || dropped > 0
    }

    /// Keeps a line whatever the levels are and however little room there is.
    private func insist(_ event: some LogEvent) {
        state.withLock { state in
            state.pending += format(event)
            state.recorded += 1
        }
        tellStandardError(event)
    }

    private func tellStandardError(_ event: some LogEvent) {
        guard event.level >= standardErrorLevel else { return }
        let line = format(event)
        standardError.append(line.span)
    }

    /// The whole line of one of the log's own events.
    private func format(_ event: some LogEvent) -> [UInt8] {
        var memory = InlineArray<1024, UInt8>(repeating: 0)
        var line = LogLine(memory.mutableSpan)
        line.begin(event.level, event.area, event.name)
        event.write(to: &line)
        let count = line.count
        var stamp = LineStamp()
        stamp.set(clock.now())
        var bytes: [UInt8] = []
        Self.append(stamp, memory.span.extracting(0..<count), to: &bytes)
        return bytes
    }

    private static func append(
        _ stamp: LineStamp, _ line: Span<UInt8>, to bytes: inout [UInt8]
    ) {
        bytes.append(copying: stamp.text.span)
        bytes.append(copying: line)
        bytes.append(UInt8(ascii: "\n"))
    }

    // MARK: Life

    /// Opens the file's path again: somebody else has moved the file away.
    /// - Throws: why it cannot be opened; then the old file stays in use.
    package func reopen() throws(Errno) {
        state.waitUntil({ !$0.isWriting }, then: { $0.isWriting = true })
        let failure = writer.reopen()
        state.withLock { $0.isWriting = false }
        state.wakeAll()
        if let failure { throw failure }
    }

    /// Writes what is left, to both sinks.
    /// - Returns: how many lines could not be written and are lost with this process.
    package func stop() -> Int {
        _ = commit()
        standardError.flush(within: 1)
        return state.withLock { state in
            Int(clamping: state.recorded - state.written + state.dropped)
        }
    }
}

/// The file and a batch of lines on its way there.
///
/// `@unchecked Sendable` is sound: `Logger` calls it only between setting and clearing
/// `State.isWriting`, both under its lock, so that there is one caller at a time and each sees what
/// the one before it did.
private final class Writer: @unchecked Sendable {
    /// A buffer that a busy moment has grown past this is let go.
    private static let keptCapacity = 1024 * 1024

    private var file: RotatingFile
    private var batch: [UInt8] = []
    private var toldRotationFailure: Errno?

    init(_ file: consuming RotatingFile) { self.file = file }

    /// Takes the lines over; in the steady state two buffers take turns.
    func take(_ pending: inout [UInt8]) { swap(&pending, &batch) }

    /// Writes the batch; what could not be written stays in it.
    func write(announcing announce: (_ fullFile: String) -> [UInt8]) -> Errno? {
        let outcome = file.append(batch.span, announcing: announce)
        if outcome.error == nil {
            if batch.capacity > Self.keptCapacity { batch = [] }
            batch.removeAll(keepingCapacity: true)
        } else {
            batch.removeSubrange(0..<outcome.written)
        }
        return outcome.error
    }

    /// Why the file could not be rotated, once for each time that it begins to fail.
    func takeRotationFailure() -> Errno? {
        let failure = file.rotationFailure
        defer { toldRotationFailure = failure }
        return failure == toldRotationFailure ? nil : failure
    }

    /// Puts what could not be written in front of what has come since.
    func giveBack(_ pending: inout [UInt8]) {
        batch.append(contentsOf: pending)
        pending.removeAll(keepingCapacity: true)
        swap(&pending, &batch)
    }

    func reopen() -> Errno? {
        do throws(Errno) {
            try file.reopen()
            return nil
        } catch {
            return error
        }
    }
}
