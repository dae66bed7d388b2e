import Glibc

/// `O_TMPFILE`, which C composes of two flags.
private let temporaryFileFlag = __O_TMPFILE | O_DIRECTORY

/// A folder with files of the service's, opened once; its files are reached below the open descriptor, by
/// a name without slashes that is never followed if it is a symbolic link.
///
/// Every file that the program names in its configuration is opened here, so that what is checked is
/// what is used (`PathWalk`).
package final class ServiceFolder: Sendable {
    package let path: String
    /// By its place: what is done in it is judged by its permissions at that moment.
    let descriptor: FolderDescriptor
    let status: FileStatus
    /// What is wrong with it and with the way to it. Who writes here decides what that means.
    package let faults: [PathFault]
    /// Who owns it, and the folders and links on the way, apart from root.
    package let owners: Set<uid_t>

    init(
        _ descriptor: FolderDescriptor, path: String, status: FileStatus,
        faults: [PathFault], owners: Set<uid_t>
    ) {
        self.descriptor = descriptor
        self.path = path
        self.status = status
        self.faults = faults
        self.owners = owners
    }

    // MARK: Finding

    /// Opens a folder.
    /// - Parameter account: which may own it and the way to it, beside root; nil for any.
    package static func open(
        _ path: String, account: uid_t? = geteuid()
    ) throws(Errno) -> ServiceFolder {
        if let kept = Kept.folder(path) { return kept }
        var walk = try PathWalk(path, account: account)
        while true {
            switch try walk.step() {
            case .folder, .link: continue
            case .file: throw .notDirectory
            case .end: return walk.reached()
            }
        }
    }

    /// Opens the folder that a path's last component is in.
    /// - Throws: `foreignLink` if another account's symbolic link is on the way.
    package static func containing(
        _ path: String
    ) throws(Errno) -> (folder: ServiceFolder, name: String) {
        guard !path.utf8.contains(0) else { throw .invalidArgument }
        let name = name(in: path)
        guard !name.isEmpty else { throw path.isEmpty ? .noSuchFileOrDirectory : .isDirectory }
        let folder = try open(folder(of: path))
        guard !folder.faults.contains(where: { $0.kind == .link }) else { throw .foreignLink }
        return (folder, name)
    }

    /// Follows a path to its end, also where that is a symbolic link.
    /// - Returns: the folder in which it ends, the last name, and the status of what has that name.
    package static func following(
        _ path: String, account: uid_t? = geteuid()
    ) throws(Errno) -> (folder: ServiceFolder, name: String, status: FileStatus) {
        var walk =
            if let kept = Kept.folder(folder(of: path)) {
                try PathWalk(name(in: path), in: kept, account: account)
            } else {
                try PathWalk(path, account: account)
            }
        while true {
            switch try walk.step() {
            case .folder, .link: continue
            case .file(let name, let status): return (walk.reached(), name, status)
            case .end: throw .isDirectory
            }
        }
    }

    /// The owners, other than root, of the folders and symbolic links along a path. If the path
    /// cannot be followed to its end, the owners up to that point.
    /// - Parameter endsInFile: whether to include the owner of the file at the end of the path.
    package static func owners(along path: String, endsInFile: Bool = false) -> Set<uid_t> {
        guard var walk = try? PathWalk(path, account: nil) else { return [] }
        while let step = try? walk.step() {
            switch step {
            case .folder, .link: continue
            case .file(_, let status):
                return endsInFile && status.owner != 0
                    ? walk.owners.union([status.owner]) : walk.owners
            case .end: return walk.owners
            }
        }
        return walk.owners
    }

    /// Opens the folder of this path, or the lowest folder above it that is there.
    package static func lowest(
        _ path: String, account: uid_t? = geteuid()
    ) throws(Errno) -> ServiceFolder {
        if let kept = Kept.folder(path) { return kept }
        var walk = try PathWalk(path, account: account)
        while true {
            do throws(Errno) {
                switch try walk.step() {
                case .folder, .link: continue
                case .file: throw Errno.notDirectory
                case .end: return walk.reached()
                }
            } catch {
                guard error == .noSuchFileOrDirectory else { throw error }
                return walk.reached()
            }
        }
    }

    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    package static func name(in path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }

    // MARK: Files

    package var owner: uid_t { status.owner }

    /// Whether accounts other than root and this one can make a name here, be it in a sticky folder.
    package var isShared: Bool {
        status.isWritableByGroup || status.isWritableByOthers
            || status.owner != 0 && status.owner != geteuid()
    }

    /// Opens a file. A symbolic link is not followed, and nothing waits for the other end of a pipe.
    /// - Throws: `foreignFile` where a file that is there would be written and belongs to another
    ///   account, or has a second name in a folder where others could have given it one.
    package func open(
        _ name: String, _ flags: CInt, mode: mode_t = 0
    ) throws(Errno) -> FileDescriptor {
        let number = descriptor.file.rawValue
        // Sound: C gets the name with a zero behind it, for the time of the call.
        let file = FileDescriptor(
            owning: try retryingOnInterrupt {
                unsafe openat(
                    number, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode)
            })
        if flags & (O_WRONLY | O_RDWR) != 0, flags & O_EXCL == 0 {
            let status = try file.status()
            if status.isRegularFile {
                let isOurs = status.owner == 0 || status.owner == geteuid()
                guard isOurs, status.linkCount <= 1 || !isShared else { throw .foreignFile }
            }
        }
        return file
    }

    package func rename(_ name: String, to newName: String) throws(Errno) {
        try rename(name, to: newName, in: self)
    }

    func rename(_ name: String, to newName: String, in other: ServiceFolder) throws(Errno) {
        let (number, otherNumber) = (descriptor.file.rawValue, other.descriptor.file.rawValue)
        // Sound: C gets both names with a zero behind them, for the time of the call.
        _ = try retryingOnInterrupt { unsafe renameat(number, name, otherNumber, newName) }
    }

    package func remove(_ name: String) throws(Errno) {
        let number = descriptor.file.rawValue
        // Sound: C gets the name with a zero behind it, for the time of the call.
        _ = try retryingOnInterrupt { unsafe unlinkat(number, name, 0) }
    }

    package func createFolder(_ name: String, mode: mode_t) throws(Errno) {
        let number = descriptor.file.rawValue
        // Sound: C gets the name with a zero behind it, for the time of the call.
        _ = try retryingOnInterrupt { unsafe mkdirat(number, name, mode) }
    }

    /// Of the name itself, even if it is a symbolic link.
    package func status(of name: String) throws(Errno) -> FileStatus {
        var result = stat()
        let number = descriptor.file.rawValue
        // Sound: the call fills in a structure of ours, and gets the name with a zero behind it.
        _ = try retryingOnInterrupt {
            unsafe fstatat(number, name, &result, AT_SYMLINK_NOFOLLOW)
        }
        return FileStatus(result)
    }

    /// Whether the effective user may do this with a name here, or with the folder (`.`).
    /// - Parameter access: `R_OK`, `W_OK`, `X_OK`.
    package func permits(_ name: String, _ access: CInt) -> Bool { refusal(name, access) == nil }

    private func refusal(_ name: String, _ access: CInt) -> Errno? {
        let number = descriptor.file.rawValue
        // Sound: C gets the name with a zero behind it, for the time of the call.
        return unsafe faccessat(number, name, access, AT_EACCESS) == 0 ? nil : .last
    }

    /// File systems of the kernel's own, in which no file can be made although root has every permission.
    private static let kernelFileSystems: Set<Substring> = [
        "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs",
        "fusectl", "nsfs", "proc", "pstore", "securityfs", "selinuxfs", "sysfs", "tracefs",
    ]

    /// Why no file can be made here, as far as can be told without making one that has a name; nil if
    /// nothing stands in the way.
    package var obstacleToWriting: Errno? {
        if let error = refusal(".", W_OK | X_OK) { return error }
        do throws(Errno) {
            // Without a name, and gone when it is closed (open(2), O_TMPFILE).
            _ = try open(".", O_WRONLY | temporaryFileFlag, mode: 0o600)
            return nil
        } catch {
            if [.permissionDenied, .readOnlyFileSystem, .notPermitted].contains(error) {
                return error
            }
        }
        // Not every file system has such files, and a full disk need not stay full.
        return isInKernelFileSystem ? .notPermitted : nil
    }

    /// By /proc/self/mountinfo (proc(5)): `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`.
    private var isInKernelFileSystem: Bool {
        guard let file = try? FileDescriptor.open("/proc/self/mountinfo", O_RDONLY),
            let bytes = try? file.read(upTo: 8 << 20)
        else { return false }
        let device = status.deviceText
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 3, words[2] == device,
                let dash = words.firstIndex(of: "-"), dash + 1 < words.count
            else { continue }
            return Self.kernelFileSystems.contains(words[dash + 1])
        }
        return false
    }

    /// The folder, open for reading its names, or to be put on the disk.
    package func reopened() throws(Errno) -> FileDescriptor {
        try open(".", O_RDONLY | O_DIRECTORY)
    }

    /// The names in it, without `.` and `..`, in no order.
    package func names() throws(Errno) -> [String] {
        let copy = try reopened().duplicate()
        // Sound: the stream takes over the descriptor, and is closed once, when nothing more is read.
        guard let stream = unsafe fdopendir(copy.rawValue) else { throw .last }
        copy.leave()
        defer { unsafe closedir(stream) }
        var names: [String] = []
        // Sound: an entry is good until the next readdir of the same stream, and its name ends with
        // a zero.
        while true {
            // The end and an error look the same but for this.
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { text in
                    unsafe String(cString: text)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        if errno != 0 { throw .last }
        return names
    }

    /// A path that leads to a name in this folder through the open descriptor, for calls that take no
    /// descriptor, such as connect(2). Needs /proc.
    private func procPath(_ name: String) -> String {
        "/proc/self/fd/\(descriptor.file.rawValue)/\(name)"
    }

    // MARK: Kept

    /// Folders and files that were opened before the process gave up root's rights, under the paths by
    /// which it finds them afterwards: the way to them may be open to root alone.
    private struct Kept {
        var folders: [String: ServiceFolder] = [:]
        var files: [String: TrustedFile] = [:]

        static let all = Monitor(Kept())

        static func folder(_ path: String) -> ServiceFolder? {
            all.withLock { $0.folders[path] }
        }
    }

    /// From now on this path leads to this folder, as it is open.
    package func keep(as path: String) {
        Kept.all.withLock { $0.folders[path] = self }
    }

    /// From now on this path has this content.
    static func keep(_ file: TrustedFile, as path: String) {
        Kept.all.withLock { $0.files[path] = file }
    }

    static func keptFile(_ path: String) -> TrustedFile? {
        Kept.all.withLock { $0.files[path] }
    }

    /// Whether this path leads to a folder that was kept.
    static func isKept(_ path: String) -> Bool { Kept.folder(path) != nil }

    /// The folder and name of a path whose folder was kept.
    static func kept(_ path: String) -> (folder: ServiceFolder, name: String)? {
        guard let folder = Kept.folder(folder(of: path)) else { return nil }
        return (folder, name(in: path))
    }

    /// The path, or another that leads to the same file although the way to it is closed by now.
    package static func reachable(_ path: String) -> String {
        kept(path).map { $0.folder.procPath($0.name) } ?? path
    }
}
