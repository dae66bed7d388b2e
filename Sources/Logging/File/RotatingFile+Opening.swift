import Glibc
import POSIX
import Time

extension RotatingFile {
    /// Opens the file, with its folder if it does not exist, and continues the chain where the last
    /// process left it.
    init(
        _ options: Options, _ fileSystem: any FileSystem, clock: WallClock
    ) throws(LogOpenError) {
        let now = clock.now()
        try Self.checkKind(options.path, fileSystem)
        try Self.checkSignature(options.path)
        let lock = try Self.lock(options.path, fileSystem)
        var file: OpenLogFile
        var stateFile: LogStateFile?
        var scan: LogRecoveryScan
        var hadState = true
        var foreign: LogForeign?
        do throws(Errno) {
            file = try Self.open(options.path, fileSystem)
            let statePath = LogState.path(of: options.path)
            if let seal = options.seal {
                hadState = (try? FileStatus(path: statePath)) != nil
                stateFile = try LogStateFile(statePath, seal.key)
            } else {
                try LogStateFile.clear(statePath)
            }
            scan = try LogRecoveryScan(
                options.path, stateFile?.state, options.seal?.key, fileSystem)
            foreign = try Self.moveForeign(scan, file, options.path, fileSystem)
            if foreign != nil {
                file = try Self.open(options.path, fileSystem)
                scan = try LogRecoveryScan(
                    options.path, stateFile?.state, options.seal?.key, fileSystem)
            }
            // If this fails, a kill within the next second has the lines until then moved aside as
            // foreign; none of them is lost.
            try? stateFile?.clearFinal()
        } catch {
            throw .failed(error)
        }
        self.file = file
        self.lock = lock
        self.stateFile = stateFile
        content = LogContent(
            size: scan.size, format: scan.format ?? options.format,
            day: scan.isOf(now) ? now.day : nil, foundSize: scan.size,
            endsInsideLine: scan.isTorn, endsInSeal: scan.endsInSeal)
        seals = SealWriter(options.seal, scan.chain, sealedSize: scan.size, at: now)
        rotation = RotationState(
            size: options.maximumSize, lastArchiveNumber: scan.lastArchiveNumber)
        pruner = LogPruner(at: now)
        self.options = options
        self.fileSystem = fileSystem
        self.clock = clock
        noticeStart(scan, foreign, hadState: hadState)
        selectFilesToRemove(now)
    }

    private mutating func noticeStart(
        _ scan: LogRecoveryScan, _ foreign: LogForeign?, hadState: Bool
    ) {
        appendNotice(LogOpened(file: LogFileNames.base(of: options.path)))
        if let foreign { appendNotice(foreign) }
        if scan.isMissing { appendNotice(LogReopened(reason: "missing", level: .warning)) }
        if scan.isMissingTail {
            appendNotice(LogFailed(reason: "missing_tail", head: scan.chain?.head))
        }
        if !hadState, let head = scan.chain?.head, head != .none {
            appendNotice(LogFailed(reason: "missing_state", head: head))
        }
    }

    /// Before anything is opened: a device or a pipe is not a log, and opening one can have
    /// effects.
    private static func checkKind(
        _ path: String, _ fileSystem: any FileSystem
    ) throws(LogOpenError) {
        guard let status = try? fileSystem.status(of: path) else { return }
        // Opening a folder or a link gives a better error.
        guard status.isRegularFile || status.isFolder || status.isSymbolicLink else {
            throw .isNotRegular(status.kind)
        }
    }

    /// Checks that the file is a log. Called before any of the log's other files is created.
    private static func checkSignature(_ path: String) throws(LogOpenError) {
        // A file that cannot be read is reported when it is opened.
        if (try? LogFileSignature.isLog(path)) == false { throw .notALog }
    }

    /// Moves aside what the scan found and no server wrote.
    private static func moveForeign(
        _ scan: LogRecoveryScan, _ file: OpenLogFile, _ path: String, _ fileSystem: any FileSystem
    ) throws(Errno) -> LogForeign? {
        switch scan.foreign {
        case nil:
            guard scan.size == 0, file.status.linkCount > 1 else { return nil }
            return LogForeign(
                file: try ForeignFile.moveAside(path, of: path, fileSystem), count: 0,
                reason: .linked)
        case .file:
            return LogForeign(
                file: try ForeignFile.moveAside(path, of: path, fileSystem), count: scan.size,
                reason: .replaced)
        case .end(let offset):
            // Without disk space for a copy the lines stay between a stop and a start, where a
            // verification reports them.
            let name = try? ForeignFile.moveEnd(of: path, from: offset, fileSystem)
            return LogForeign(
                file: name ?? LogFileNames.base(of: path), count: scan.size - offset,
                reason: .afterStop)
        }
    }

    private static func lock(
        _ path: String, _ fileSystem: any FileSystem
    ) throws(LogOpenError) -> ProcessLock {
        let lockPath = Self.lockPath(path)
        do throws(Errno) {
            try fileSystem.createFolders(LogFileNames.folder(of: path), mode: 0o750)
            if let lock = try ProcessLock(lockPath) { return lock }
        } catch {
            throw .failed(error)
        }
        throw .inUse(by: ProcessLock.owner(lockPath))
    }

    static func lockPath(_ path: String) -> String { LogFileNames.companion(of: path, "lock") }

    static func open(
        _ path: String, _ fileSystem: any FileSystem, _ exclusive: CInt = 0
    ) throws(Errno) -> OpenLogFile {
        // O_NONBLOCK: opening a pipe must not wait for a reader.
        try OpenLogFile(
            fileSystem.open(
                path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | exclusive,
                mode: 0o640))
    }
}
