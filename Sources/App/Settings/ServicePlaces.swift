import Glibc
import Logging
import POSIX

/// The files that a server writes, checked before it starts: files that a start refuses, and
/// permissions that the operator should know about.
struct ServicePlaces {
    /// A file that the server keeps open or replaces.
    struct Place {
        let setting: String
        /// The kind of file, as in `the log`.
        let what: String
        let path: String
        /// The kinds of the hidden files beside it.
        let companions: [String]

        var folder: String { LogFileNames.folder(of: path) }
    }

    let logs: [Place]
    let journal: Place?
    let socket: Place?

    init(_ configuration: Configuration) {
        let companions = configuration.sealsLog ? ["lock", "state"] : ["lock"]
        let log = configuration.log
        logs =
            [Place("log.file.path", "log", log.path, companions)]
            + (log.audit.map { [Place("log.audit.path", "log", $0.path, companions)] } ?? [])
        journal = configuration.revocationJournal.map {
            Place("state.revocations", "journal", $0, ["lock", "new", "state"])
        }
        socket = configuration.admin.socket.map { Place("admin.socket", "socket", $0, []) }
    }

    private var files: [Place] { logs + [journal].compactMap(\.self) }

    // MARK: Problems

    /// Files that a start refuses regardless of permissions: those that are not regular, and those
    /// that another account owns or may have linked.
    var problems: [ConfigurationProblem] {
        files.flatMap { place in
            [(place.path, place.what)].flatMap { Self.problems(place, $0.0, $0.1) }
                + place.companions.flatMap { kind in
                    Self.problems(place, LogFileNames.companion(of: place.path, kind), kind)
                }
        }
    }

    private static func problems(_ place: Place, _ path: String, _ what: String)
        -> [ConfigurationProblem]
    {
        guard let (folder, name) = try? ServiceFolder.containing(path),
            let status = try? folder.status(of: name)
        else { return [] }
        func problem(_ message: String) -> [ConfigurationProblem] {
            [ConfigurationProblem(path: place.setting, message: message)]
        }
        if status.isSymbolicLink {
            return problem("\(path) is a symbolic link; write the path of its target")
        }
        guard status.isRegularFile else {
            return problem(
                "\(path) is \(status.kind); the \(what) must be a regular file: write another "
                    + "path, or remove it")
        }
        if status.owner != 0, status.owner != geteuid() {
            let account = geteuid()
            return problem(
                PathFault(path: path, kind: .file, reason: .owner(status.owner, wanted: account))
                    .message)
        }
        if status.linkCount > 1, folder.isShared {
            return problem(
                "\(path) has another name (a hard link), which another account may have created; "
                    + "remove one of the two")
        }
        return []
    }

    // MARK: Warnings

    /// Permissions that let other accounts read or change the logs and the journal. A start does
    /// not refuse them, because a container's volume is often writable for every account in it.
    var warnings: [ConfigurationProblem] {
        var known: Set<PathFault> = []
        return (files + [socket].compactMap(\.self)).flatMap { place in
            folderWarnings(place, &known) + Self.fileWarnings(place)
        }
    }

    private func folderWarnings(_ place: Place, _ known: inout Set<PathFault>)
        -> [ConfigurationProblem]
    {
        guard let folder = try? ServiceFolder.deepestExisting(place.folder) else { return [] }
        return folder.faults.compactMap { fault in
            guard known.insert(fault).inserted, Self.isRelevant(fault, folder.path) else {
                return nil
            }
            return ConfigurationProblem(path: place.setting, message: fault.message)
        }
    }

    /// Whether to report a fault: a folder that only its group can change is ignored above the
    /// file's own folder. On many systems a group can write to /var/log, which operators do not
    /// change.
    private static func isRelevant(_ fault: PathFault, _ folder: String) -> Bool {
        guard case .mode(let mode) = fault.reason else { return true }
        return mode & S_IWOTH != 0 || fault.path == folder
    }

    private static func fileWarnings(_ place: Place) -> [ConfigurationProblem] {
        guard let status = try? SystemFileSystem().status(of: place.path), status.isRegularFile,
            status.isReadableByOthers || status.isWritableByOthers
        else { return [] }
        let verb = status.isWritableByOthers ? "changed" : "read"
        let mode = place.what == "log" ? "640" : "600"
        return [
            ConfigurationProblem(
                path: place.setting,
                message: "the \(place.what) \(place.path) can be \(verb) by others; "
                    + "chmod \(mode) it")
        ]
    }
}

extension ServicePlaces.Place {
    fileprivate init(_ setting: String, _ what: String, _ path: String, _ companions: [String]) {
        self.init(setting: setting, what: what, path: path, companions: companions)
    }
}
