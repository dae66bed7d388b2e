import Glibc

/// Why a path does not lead to a file that the service may rely on: an account other than root and
/// the service's own could put another file there.
///
/// The rule is that of OpenSSH's StrictModes. Each folder and each symbolic link from `/` on, and
/// the file, must belong to root or to the account, and must not be writable by the group or by
/// others. A sticky folder may be writable: only an entry's owner can replace the entry there
/// (unlink(2)), and that owner is checked as well.
package struct PathFault: Error, Equatable, Hashable, Sendable {
    package enum Kind: String, Sendable {
        case folder, file
        case link = "symbolic link"
    }

    package enum Reason: Equatable, Hashable, Sendable {
        /// The owner is neither root nor this account.
        case owner(uid_t, wanted: uid_t)
        /// The permission bits; the group or others may write.
        case mode(mode_t)
    }

    package let path: String
    package let kind: Kind
    package let reason: Reason

    package init(path: String, kind: Kind, reason: Reason) {
        self.path = path
        self.kind = kind
        self.reason = reason
    }

    /// `the KIND PATH ...: OWNER or MODE; COMMAND`, with the command that repairs it.
    package var message: String {
        switch reason {
        case .owner(let owner, let wanted):
            let rule =
                wanted == 0
                ? "not to root" : "neither to root nor to \(Account(wanted).description)"
            let change = kind == .link ? "chown -h" : "chown"
            return
                "the \(kind.rawValue) \(path) belongs to \(Account(owner).description), \(rule); "
                + "\(change) \(wanted) \(path)"
        case .mode(let mode):
            let others = mode & S_IWOTH != 0 ? "others" : "its group"
            let digits = String(mode & 0o7777, radix: 8)
            let padding = String(repeating: "0", count: max(0, 4 - digits.count))
            return "the \(kind.rawValue) \(path) can be changed by \(others) "
                + "(mode \(padding)\(digits)); chmod go-w \(path)"
        }
    }

    /// The faults of one element of a path.
    /// - Parameter account: may own it besides root; nil to skip the check of the owner.
    static func of(
        _ status: FileStatus, _ path: @autoclosure () -> String, _ kind: Kind, account: uid_t?
    ) -> [PathFault] {
        var faults: [PathFault] = []
        if let account, status.owner != 0, status.owner != account {
            faults.append(
                PathFault(
                    path: path(), kind: kind, reason: .owner(status.owner, wanted: account)))
        }
        // The permissions of a symbolic link have no effect (symlink(7)).
        let isWritable = status.isWritableByGroup || status.isWritableByOthers
        if kind != .link, isWritable, !(kind == .folder && status.isSticky) {
            faults.append(PathFault(path: path(), kind: kind, reason: .mode(status.mode)))
        }
        return faults
    }

    /// The faults of an open file, without those of the folders above it.
    package static func ofFile(
        _ status: FileStatus, _ path: String, account: uid_t = geteuid()
    ) -> [PathFault] {
        of(status, path, .file, account: account)
    }
}

/// A user account of the system.
package struct Account: Equatable, Hashable, Sendable {
    package let id: uid_t
    /// The name in /etc/passwd; nil if there is no entry.
    package let name: String?
    /// The primary group. For an account without an entry in /etc/passwd, the group with its own
    /// number, as systemd assigns to dynamic users.
    package let group: gid_t

    package init(_ id: uid_t) {
        self.id = id
        let entry = Self.entry(of: id)
        name = entry?.name
        group = entry?.group ?? id
    }

    /// For messages: `gatehouse (uid 991)`.
    package var description: String { name.map { "\($0) (uid \(id))" } ?? "uid \(id)" }

    /// Reads /etc/passwd directly: getpwuid(3) does not work in a static program.
    private static func entry(of id: uid_t) -> (name: String, group: gid_t)? {
        guard let file = try? FileDescriptor.open("/etc/passwd", O_RDONLY),
            let bytes = try? file.read(upTo: 1 << 20)
        else { return nil }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard parts.count > 3, uid_t(String(decoding: parts[2], as: UTF8.self)) == id,
                let group = gid_t(String(decoding: parts[3], as: UTF8.self))
            else { continue }
            return (String(decoding: parts[0], as: UTF8.self), group)
        }
        return nil
    }

    /// Permanently switches the whole process to this account. No group of root's remains, and
    /// after setuid(2) the kernel allows only root to switch back.
    /// - Throws: the error of the system call; `notPermitted` if root's rights remain.
    package func become() throws(Errno) {
        _ = try retryingOnInterrupt { setgroups(0, nil) }
        _ = try retryingOnInterrupt { setgid(group) }
        _ = try retryingOnInterrupt { setuid(id) }
        // If the kernel permits setuid(0), root's rights remain.
        guard setuid(0) == -1, geteuid() == id, getuid() == id, getegid() == group else {
            throw .notPermitted
        }
    }
}
