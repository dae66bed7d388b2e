import Glibc

/// Follows a path component by component and inspects each folder and each symbolic link through an
/// open descriptor. What was inspected is what is used, even if the names change meanwhile.
struct PathWalk {
    /// The kernel's limit (path_resolution(7)).
    private static let maximumLinks = 40
    /// Deeper than any path.
    private static let maximumDepth = 4096

    private let account: uid_t?
    /// The remaining components, the next one last.
    private var names: [String]
    private var linkCount = 0
    /// The current folder, and its path.
    private(set) var folder: FolderDescriptor
    private(set) var folderPath: String
    /// The status of the current folder.
    private(set) var folderStatus: FileStatus
    private(set) var faults: [PathFault] = []
    /// The owners of the folders and links on the way, other than root.
    private(set) var owners: Set<uid_t> = []
    private let mustEndInFolder: Bool

    /// - Parameter account: may own the elements of the path besides root; nil for any owner.
    init(_ path: String, account: uid_t?) throws(Errno) {
        guard !path.isEmpty else { throw .noSuchFileOrDirectory }
        guard !path.utf8.contains(0) else { throw .invalidArgument }
        self.account = account
        names = Self.components(path)
        mustEndInFolder = path.hasSuffix("/")
        let isAbsolute = path.hasPrefix("/")
        folder = try FolderDescriptor(isAbsolute ? "/" : ".")
        folderPath = isAbsolute ? "/" : "."
        folderStatus = try folder.file.status()
        if !isAbsolute { try checkFoldersAbove() }
        check(folderStatus, isAbsolute ? "/" : Self.workingFolder ?? ".")
    }

    /// Continues from an open folder, with the faults of the path to it.
    init(_ path: String, in start: ServiceFolder, account: uid_t?) throws(Errno) {
        guard !path.isEmpty else { throw .isDirectory }
        guard !path.utf8.contains(0) else { throw .invalidArgument }
        self.account = account
        names = Self.components(path)
        mustEndInFolder = false
        (folder, folderPath, folderStatus) = (start.descriptor, start.path, start.status)
        (faults, owners) = (start.faults, start.owners)
    }

    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.map(String.init).reversed()
    }

    /// The working folder's path, from the kernel.
    private static var workingFolder: String? {
        // Sound: getcwd allocates its result and terminates it with a zero.
        guard let text = unsafe getcwd(nil, 0) else { return nil }
        defer { unsafe free(text) }
        let path = unsafe String(cString: text)
        return path.hasPrefix("/") ? path : nil
    }

    private mutating func check(_ status: FileStatus, _ path: String) {
        add(PathFault.of(status, path, .folder, account: account), status)
    }

    private mutating func add(_ found: [PathFault], _ status: FileStatus) {
        for fault in found where !faults.contains(fault) { faults.append(fault) }
        if status.owner != 0 { owners.insert(status.owner) }
    }

    /// Checks the folders above the working folder, in which a relative path begins. An account
    /// that can change one of them can replace the working folder before the next start.
    private mutating func checkFoldersAbove() throws(Errno) {
        var path = Self.workingFolder
        var below = folderStatus
        var step = try FolderDescriptor("..", in: folder)
        for _ in 0..<Self.maximumDepth {
            let status = try step.file.status()
            if status.isSameFile(as: below) { return }
            path = path.map { path in
                let slash = path.lastIndex(of: "/") ?? path.startIndex
                return slash == path.startIndex ? "/" : String(path[..<slash])
            }
            check(status, path ?? "..")
            below = status
            step = try FolderDescriptor("..", in: step)
        }
        throw .fileNameTooLong
    }

    // MARK: Steps

    enum Step {
        case folder
        /// A symbolic link; its target is followed next.
        case link
        /// Any other kind of file; the walk ends here.
        case file(name: String, FileStatus)
        case end
    }

    /// Follows one component.
    /// - Parameter followsLast: whether to follow a symbolic link as the last component; otherwise
    ///   it is returned as a file.
    mutating func step(followsLast: Bool = true) throws(Errno) -> Step {
        guard let name = names.popLast() else { return .end }
        let next = try folder.open(name)
        let status = try next.status()
        let isTop = folderPath == "/" || folderPath == "."
        let path = isTop ? (folderPath == "/" ? "/" : "") + name : "\(folderPath)/\(name)"
        if status.isSymbolicLink, followsLast || !names.isEmpty {
            add(PathFault.of(status, path, .link, account: account), status)
            linkCount += 1
            guard linkCount <= Self.maximumLinks else { throw .tooManySymbolicLinkLevels }
            let target = try next.linkTarget()
            guard !target.isEmpty else { throw .noSuchFileOrDirectory }
            names += Self.components(target)
            if target.hasPrefix("/") {
                folder = try FolderDescriptor("/")
                folderPath = "/"
                folderStatus = try folder.file.status()
                check(folderStatus, "/")
            }
            return .link
        }
        guard status.isFolder else {
            guard names.isEmpty, !mustEndInFolder else { throw .notDirectory }
            return .file(name: name, status)
        }
        check(status, path)
        folder = FolderDescriptor(next)
        folderPath = path
        folderStatus = status
        return .folder
    }

    /// The current folder.
    func makeFolder() -> ServiceFolder {
        ServiceFolder(
            folder, path: folderPath, status: folderStatus, faults: faults, owners: owners)
    }
}

/// A folder opened with `O_PATH`: neither its content nor a permission on it is needed.
final class FolderDescriptor: Sendable {
    let file: FileDescriptor

    init(_ file: consuming FileDescriptor) { self.file = file }

    init(_ path: String) throws(Errno) {
        // Sound: C gets the path zero-terminated, for the duration of the call.
        let number = try retryingOnInterrupt {
            unsafe Glibc.open(path, __O_PATH | O_DIRECTORY | O_CLOEXEC)
        }
        file = FileDescriptor(owning: number)
    }

    init(_ name: String, in folder: FolderDescriptor) throws(Errno) {
        let folder = folder.file.rawValue
        // Sound: C gets the name zero-terminated, for the duration of the call.
        let number = try retryingOnInterrupt {
            unsafe openat(folder, name, __O_PATH | O_DIRECTORY | O_CLOEXEC)
        }
        file = FileDescriptor(owning: number)
    }

    /// Opens any kind of file with `O_PATH`: no effect on a device, no waiting for a pipe, no link
    /// followed.
    func open(_ name: String) throws(Errno) -> FileDescriptor {
        let folder = file.rawValue
        // Sound: C gets the name zero-terminated, for the duration of the call.
        let number = try retryingOnInterrupt {
            unsafe openat(folder, name, __O_PATH | O_NOFOLLOW | O_CLOEXEC)
        }
        return FileDescriptor(owning: number)
    }
}

extension FileDescriptor {
    /// The target of a symbolic link that was opened with `O_PATH`.
    func linkTarget() throws(Errno) -> String {
        let number = rawValue
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        // Sound: the kernel writes at most `buffer.count` bytes.
        let count = try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Errno) in
            try retryingOnInterrupt {
                unsafe readlinkat(number, "", buffer.baseAddress!, buffer.count)
            }
        }
        return String(decoding: bytes.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
