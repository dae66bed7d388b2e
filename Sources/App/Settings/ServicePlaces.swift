import Glibc
import Logging
import POSIX

/// The files that a server writes, as they are before it starts: what may not be where they belong, and
/// what an operator should know about the folders.
struct ServicePlaces {
    /// A file that the server keeps open or replaces.
    struct Place {
        let setting: String
        /// As in `the log`.
        let what: String
        let path: String
        /// Kinds of the hidden files that it has beside it.
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

    /// What a start refuses whatever the permissions are: a file that is none, or that another account
    /// could change.
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
        func problem(_ sentence: String) -> [ConfigurationProblem] {
            [ConfigurationProblem(path: place.setting, message: sentence)]
        }
        if status.isSymbolicLink {
            return problem("\(path) is a symbolic link; write the path that it leads to")
        }
        guard status.isRegularFile else {
            return problem(
                "\(path) is \(status.kind); the \(what) is a regular file: write another path, or "
                    + "remove it")
        }
        if status.owner != 0, status.owner != geteuid() {
            let account = geteuid()
            return problem(
                PathFault(path: path, kind: .file, reason: .owner(status.owner, wanted: account))
                    .sentence)
        }
        if status.linkCount > 1, folder.isShared {
            return problem(
                "\(path) has another name (a hard link), which another account may have made; "
                    + "remove one of the two")
        }
        return []
    }

    // MARK: Warnings

    /// What others could do to the log and the journal, which keeps no server from starting: a
    /// container's volume is often open to everyone in the container.
    var warnings: [ConfigurationProblem] {
        var known: Set<PathFault> = []
        return (files + [socket].compactMap(\.self)).flatMap { place in
            folderWarnings(place, &known) + Self.fileWarnings(place)
        }
    }

    private func folderWarnings(_ place: Place, _ known: inout Set<PathFault>)
        -> [ConfigurationProblem]
    {
        guard let folder = try? ServiceFolder.lowest(place.folder) else { return [] }
        return folder.faults.compactMap { fault in
            guard known.insert(fault).inserted, Self.isWorthSaying(fault, folder.path) else {
                return nil
            }
            return ConfigurationProblem(path: place.setting, message: fault.sentence)
        }
    }

    /// /var/log belongs to a group of its own on many systems, which no operator would change.
    private static func isWorthSaying(_ fault: PathFault, _ folder: String) -> Bool {
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
