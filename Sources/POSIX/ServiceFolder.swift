import Glibc

/// `O_TMPFILE`, which is a combination of two flags in C.
private let temporaryFileFlag = __O_TMPFILE | O_DIRECTORY

/// A folder with files of the service, opened once. Its files are opened relative to the open
/// descriptor, by a name without slashes; a symbolic link of that name is never followed.
///
/// All files that the configuration names are opened through this type, so that what is checked
/// (`PathWalk`) is what is used.
package final class ServiceFolder: Sendable {
    package let path: String
    /// Opened with `O_PATH`: each operation in the folder checks its permissions at that time.
    let descriptor: FolderDescriptor
    let status: FileStatus
    /// The faults of the folder and of the path to it. The caller decides what they mean.
    package let faults: [PathFault]
    /// The owners of the folder, and of the folders and links on the way, other than root.
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

    // MARK: Opening a folder

    /// Opens a folder.
    /// - Parameter account: may own it and the elements of the path besides root; nil for any
    ///   owner.
    /// - Throws: `notDirectory` if the path leads to another kind of file, or the error of the
    ///   system call.
    package static func open(
        _ path: String, account: uid_t? = geteuid()
    ) throws(Errno) -> ServiceFolder {
        if let kept = Preopened.folder(path) { return kept }
        var walk = try PathWalk(path, account: account)
        while true {
            switch try walk.step() {
            case .folder, .link: continue
            case .file: throw .notDirectory
            case .end: return walk.makeFolder()
            }
        }
    }

    /// Opens the folder that contains the last component of a path.
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

    /// Follows a path to its end, even if the last component is a symbolic link.
    /// - Returns: the folder in which it ends, the last name, and the status of the file of that
    ///   name.
    /// - Throws: `isDirectory` if the path leads to a folder, or the error of the system call.
    package static func resolving(
        _ path: String, account: uid_t? = geteuid()
    ) throws(Errno) -> (folder: ServiceFolder, name: String, status: FileStatus) {
        var walk =
            if let kept = Preopened.folder(folder(of: path)) {
                try PathWalk(name(in: path), in: kept, account: account)
            } else {
                try PathWalk(path, account: account)
            }
        while true {
            switch try walk.step() {
            case .folder, .link: continue
            case .file(let name, let status): return (walk.makeFolder(), name, status)
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

    /// Opens the folder of this path, or the lowest existing folder above it.
    package static func deepestExisting(
        _ path: String, account: uid_t? = geteuid()
    ) throws(Errno) -> ServiceFolder {
        if let kept = Preopened.folder(path) { return kept }
        var walk = try PathWalk(path, account: account)
        while true {
            do throws(Errno) {
                switch try walk.step() {
                case .folder, .link: continue
                case .file: throw Errno.notDirectory
                case .end: return walk.makeFolder()
                }
            } catch {
                guard error == .noSuchFileOrDirectory else { throw error }
                return walk.makeFolder()
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

    /// Whether accounts other than root and this one can create a name here, even if only in a
    /// sticky folder.
    package var isShared: Bool {
        status.isWritableByGroup || status.isWritableByOthers
            || status.owner != 0 && status.owner != geteuid()
    }

    /// Opens a file. Does not follow a symbolic link, and does not wait for the other end of a
    /// pipe.
    /// - Throws: `foreignFile` if an existing file would be written that belongs to another
    ///   account, or that has several hard links in a folder where other accounts could have
    ///   created one.
    package func open(
        _ name: String, _ flags: CInt, mode: mode_t = 0
    ) throws(Errno) -> FileDescriptor {
        let number = descriptor.file.rawValue
        // Sound: C gets the name zero-terminated, for the duration of the call.
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
        // Sound: C gets both names zero-terminated, for the duration of the call.
        _ = try retryingOnInterrupt { unsafe renameat(number, name, otherNumber, newName) }
    }

    package func remove(_ name: String) throws(Errno) {
        let number = descriptor.file.rawValue
        // Sound: C gets the name zero-terminated, for the duration of the call.
        _ = try retryingOnInterrupt { unsafe unlinkat(number, name, 0) }
    }

    package func createFolder(_ name: String, mode: mode_t) throws(Errno) {
        let number = descriptor.file.rawValue
        // Sound: C gets the name zero-terminated, for the duration of the call.
        _ = try retryingOnInterrupt { unsafe mkdirat(number, name, mode) }
    }

    /// The status of the name itself, even if it is a symbolic link.
    package func status(of name: String) throws(Errno) -> FileStatus {
        var result = stat()
        let number = descriptor.file.rawValue
        // Sound: the call fills in a local structure, and gets the name zero-terminated.
        _ = try retryingOnInterrupt {
            unsafe fstatat(number, name, &result, AT_SYMLINK_NOFOLLOW)
        }
        return FileStatus(result)
    }

    /// Whether the effective user has this access to a name here, or to the folder itself (`.`).
    /// - Parameter access: `R_OK`, `W_OK`, `X_OK`.
    package func permits(_ name: String, _ access: CInt) -> Bool { refusal(name, access) == nil }

    private func refusal(_ name: String, _ access: CInt) -> Errno? {
        let number = descriptor.file.rawValue
        // Sound: C gets the name zero-terminated, for the duration of the call.
        return unsafe faccessat(number, name, access, AT_EACCESS) == 0 ? nil : .last
    }

    /// The kernel's own file systems, in which not even root can create files.
    private static let kernelFileSystems: Set<Substring> = [
        "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs",
        "fusectl", "nsfs", "proc", "pstore", "securityfs", "selinuxfs", "sysfs", "tracefs",
    ]

    /// Why no file can be created here; nil if nothing prevents it. Checked without creating a
    /// name, so the check is not complete.
    package var writeError: Errno? {
        if let error = refusal(".", W_OK | X_OK) { return error }
        do throws(Errno) {
            // A file without a name, which disappears when it is closed (open(2), O_TMPFILE).
            _ = try open(".", O_WRONLY | temporaryFileFlag, mode: 0o600)
            return nil
        } catch {
            if [.permissionDenied, .readOnlyFileSystem, .notPermitted].contains(error) {
                return error
            }
        }
        // Not every file system supports O_TMPFILE, and a full disk may have space again later.
        return isInKernelFileSystem ? .notPermitted : nil
    }

    /// From /proc/self/mountinfo (proc(5)): `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3
    /// /dev/root rw`.
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

    /// A descriptor of the folder for reading its names or syncing it.
    package func reopened() throws(Errno) -> FileDescriptor {
        try open(".", O_RDONLY | O_DIRECTORY)
    }

    /// The names in the folder, without `.` and `..`, in no particular order.
    package func names() throws(Errno) -> [String] {
        let copy = try reopened().duplicate()
        // Sound: the stream owns the descriptor, and is closed once, after the last read.
        guard let stream = unsafe fdopendir(copy.rawValue) else { throw .last }
        copy.release()
        defer { unsafe closedir(stream) }
        var names: [String] = []
        // Sound: an entry is valid until the next readdir of the same stream, and its name is
        // zero-terminated.
        while true {
            // readdir returns nil for the end and for an error; only `errno` distinguishes them.
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

    /// A path to a name in this folder through the open descriptor, for calls that take no
    /// descriptor, such as connect(2). Requires /proc.
    private func procPath(_ name: String) -> String {
        "/proc/self/fd/\(descriptor.file.rawValue)/\(name)"
    }

    // MARK: Kept across a switch of account

    /// Folders and files that were opened before the process gave up root's rights, by the paths
    /// under which it looks for them afterwards. The way to them may be accessible to root alone.
    private struct Preopened {
        var folders: [String: ServiceFolder] = [:]
        var files: [String: TrustedFile] = [:]

        static let all = Monitor(Preopened())

        static func folder(_ path: String) -> ServiceFolder? {
            all.withLock { $0.folders[path] }
        }
    }

    /// From now on, this path refers to this open folder in this process.
    package func registerPreopened(as path: String) {
        Preopened.all.withLock { $0.folders[path] = self }
    }

    /// From now on, this path has this content in this process.
    static func keep(_ file: TrustedFile, as path: String) {
        Preopened.all.withLock { $0.files[path] = file }
    }

    static func preopenedFile(_ path: String) -> TrustedFile? {
        Preopened.all.withLock { $0.files[path] }
    }

    /// Whether this path refers to a preopened folder.
    static func isPreopened(_ path: String) -> Bool { Preopened.folder(path) != nil }

    /// The folder and the last name of a path whose folder is preopened; nil if it is not.
    static func kept(_ path: String) -> (folder: ServiceFolder, name: String)? {
        guard let folder = Preopened.folder(folder(of: path)) else { return nil }
        return (folder, name(in: path))
    }

    /// The path, or another one that leads to the same file if the way to it may be inaccessible by
    /// now.
    package static func reachable(_ path: String) -> String {
        kept(path).map { $0.folder.procPath($0.name) } ?? path
    }
}
