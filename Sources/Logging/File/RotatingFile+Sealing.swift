import POSIX
import Time

extension RotatingFile {
    /// How far the chain has come; nil if the log is not sealed.
    var head: SealHead? { seals.head }

    /// Writes a seal, if there is something to seal.
    /// - Parameter isForced: seal a segment without lines of this process, too.
    mutating func seal(
        _ reason: SealChain.Reason, _ now: Timestamp, isForced: Bool = false
    ) throws(Errno) {
        guard !content.endsInsideLine,
            let (line, head) = seals.makeSeal(
                reason, at: now, content.format, isForced: isForced)
        else { return }
        let (count, error) = writeAll(line.span)
        if let error {
            if count > 0 { undoPartialLine(line.span.extracting(0..<count)) }
            throw error
        }
        content.size += count
        content.isFinal = reason == .stop
        pendingSync.noteChange()
        seals.didWrite(head, size: content.size, at: now)
    }

    /// What a start has found gets a seal without a line of this process, so that a verification
    /// can name the lines.
    mutating func sealFound(_ now: Timestamp) throws(Errno) {
        if seals.owesStartSeal, content.isOnlyFound { try seal(.found, now) }
    }

    /// Seals the line about files that are to be removed at once, so that no other program can have
    /// written it.
    mutating func sealRetention() throws(Errno) {
        guard !pruner.filesToRemove.isEmpty, !pruner.isSealed else { return }
        try seal(.rotate, clock.now())
        pruner.isSealed = true
    }

    /// Closes the segment before another file begins: no segment extends into the next file.
    mutating func sealSegment(_ now: Timestamp) throws(Errno) {
        try seal(seals.closingReason(isOnlyFound: content.isOnlyFound), now)
    }

    /// Applies what may change while the file is open: its limits and the key of its seals. The
    /// path and the format stay, and whether there are seals. What was written under the old key is
    /// sealed with it first.
    /// - Throws: why the old key stays in use.
    mutating func change(to new: Options) throws(Errno) {
        if rotation.size == options.maximumSize { rotation.size = new.maximumSize }
        options.maximumSize = new.maximumSize
        options.rotatesDaily = new.rotatesDaily
        options.retention = new.retention
        guard let seal = new.seal, let old = options.seal else { return }
        if seal.key.id != old.key.id {
            try appendDue()
            try self.seal(.interval, clock.now())
            stateFile = try LogStateFile(LogState.path(of: options.path), seal.key)
            // The next sync writes the state under the new key, even without a new line.
            pendingSync.noteChange()
        }
        options.seal = seal
        seals.change(to: seal)
    }

    /// Writes the seal of a stop, after which nothing is written.
    mutating func finish() throws(Errno) {
        if checkPath() == .grown { sealApartFromForeignBytes(clock.now()) }
        try appendDue()
        try seal(.stop, clock.now())
    }
}
