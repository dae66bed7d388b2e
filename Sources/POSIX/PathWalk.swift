import Glibc

/// Goes along a path, one component after the other, and looks at each folder and each symbolic link by
/// an open descriptor: what was looked at is what is used, whatever becomes of the names meanwhile.
struct PathWalk {
    /// As many as the kernel follows (path_resolution(7)).
    private static let maximumLinks = 40
    /// Deeper than any path can be.
    private static let maximumDepth = 4096

    private let account: uid_t?
    /// What is left of the path, the next component last.
    private var names: [String]
    private var linkCount = 0
    /// The folder that has been reached, and its path.
    private(set) var folder: FolderDescriptor
    private(set) var folderPath: String
    /// The status of that folder.
    private(set) var folderStatus: FileStatus
    private(set) var faults: [PathFault] = []
    /// Who owns the folders and links on the way, apart from root.
    private(set) var owners: Set<uid_t> = []
    private let mustEndInFolder: Bool

    /// - Parameter account: which may own what is on the way beside root; nil for any.
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
        if !isAbsolute { try lookAtFoldersAbove() }
        look(at: folderStatus, isAbsolute ? "/" : Self.workingFolder ?? ".")
    }

    /// Goes on from a folder that is open, and takes over what is wrong with the way to it.
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

    /// The kernel's name of it.
    private static var workingFolder: String? {
        // Sound: getcwd allocates what it returns, and it ends with a zero.
        guard let text = unsafe getcwd(nil, 0) else { return nil }
        defer { unsafe free(text) }
        let path = unsafe String(cString: text)
        return path.hasPrefix("/") ? path : nil
    }

    private mutating func look(at status: FileStatus, _ path: String) {
        add(PathFault.of(status, path, .folder, account: account), status)
    }

    private mutating func add(_ found: [PathFault], _ status: FileStatus) {
        for fault in found where !faults.contains(fault) { faults.append(fault) }
        if status.owner != 0 { owners.insert(status.owner) }
    }

    /// A relative path begins in the working folder, and whoever can change what is above that can put
    /// another in its place for the next start.
    private mutating func lookAtFoldersAbove() throws(Errno) {
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
            look(at: status, path ?? "..")
            below = status
            step = try FolderDescriptor("..", in: step)
        }
        throw .fileNameTooLong
    }

    // MARK: Going

    enum Step {
        case folder
        /// A link, whose target is gone along next.
        case link
        /// Neither: here the walk ends.
        case file(name: String, FileStatus)
        case end
    }

    /// Goes one component further.
    /// - Parameter followsLast: whether a link that is the last component is followed; if not, it is a
    ///   file.
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
                look(at: folderStatus, "/")
            }
            return .link
        }
        guard status.isFolder else {
            guard names.isEmpty, !mustEndInFolder else { throw .notDirectory }
            return .file(name: name, status)
        }
        look(at: status, path)
        folder = FolderDescriptor(next)
        folderPath = path
        folderStatus = status
        return .folder
    }

    /// The folder that has been reached.
    func reached() -> ServiceFolder {
        ServiceFolder(
            folder, path: folderPath, status: folderStatus, faults: faults, owners: owners)
    }
}

/// A folder, open by its place alone: neither its content nor a permission on it is needed.
final class FolderDescriptor: Sendable {
    let file: FileDescriptor

    init(_ file: consuming FileDescriptor) { self.file = file }

    init(_ path: String) throws(Errno) {
        // Sound: C gets the path with a zero behind it, for the time of the call.
        let number = try retryingOnInterrupt {
            unsafe Glibc.open(path, __O_PATH | O_DIRECTORY | O_CLOEXEC)
        }
        file = FileDescriptor(owning: number)
    }

    init(_ name: String, in folder: FolderDescriptor) throws(Errno) {
        let folder = folder.file.rawValue
        // Sound: C gets the name with a zero behind it, for the time of the call.
        let number = try retryingOnInterrupt {
            unsafe openat(folder, name, __O_PATH | O_DIRECTORY | O_CLOEXEC)
        }
        file = FileDescriptor(owning: number)
    }

    /// Whatever has this name, by its place alone: no device notices, no pipe waits, no link is followed.
    func open(_ name: String) throws(Errno) -> FileDescriptor {
        let folder = file.rawValue
        // Sound: C gets the name with a zero behind it, for the time of the call.
        let number = try retryingOnInterrupt {
            unsafe openat(folder, name, __O_PATH | O_NOFOLLOW | O_CLOEXEC)
        }
        return FileDescriptor(owning: number)
    }
}

extension FileDescriptor {
    /// What a symbolic link says, which was opened by its place.
    func linkTarget() throws(Errno) -> String {
        let number = rawValue
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        // Sound: no more is asked for than the buffer has room for.
        let count = try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Errno) in
            try retryingOnInterrupt {
                unsafe readlinkat(number, "", buffer.baseAddress!, buffer.count)
            }
        }
        return String(decoding: bytes.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
