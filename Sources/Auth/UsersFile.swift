import Glibc
import JSON
import JWT
import POSIX

/// The users, in a file:
///
///     {"next_id":2,"users":[
///     {"id":1,"username":"alice","name":"Alice","password":"$pbkdf2-sha256$…","disabled":false}]}
///
/// Read strictly: whatever is not understood is a problem, and all of them are told at once. Changed as
/// a whole: whoever reads it finds the old users or the new ones, also after a power cut. Changes wait
/// for each other, in any processes, and none is lost.
package struct UsersFile: Sendable {
    package static let maximumSize = 16 << 20
    package static let maximumUsers = 100_000

    package let path: String
    private let fileSystem: any FileSystem

    package init(_ path: String, fileSystem: any FileSystem = SystemFileSystem()) {
        self.path = path
        self.fileSystem = fileSystem
    }

    /// The users, in the file's order.
    package func read() throws(UsersFileError) -> [User] { try readAll().users }

    /// Which ids somebody who is added can have. Tokens know users by their ids, and those of somebody
    /// who is gone may still be about.
    package struct FreeIDs: Equatable, Sendable {
        /// Above all that the file knows of; nil if there is none left.
        package let next: UserID?
        /// `next_id` as it stands in the file; nil if it does not.
        let written: Int64?

        /// Whether the id may have been somebody's who is gone. Of a file without `next_id` nothing is
        /// known: no.
        package func mayHaveBeenUsed(_ id: UserID) -> Bool {
            written.map { id.number < $0 } ?? false
        }
    }

    /// The users, in the file's order, and the ids that are left.
    package func readAll() throws(UsersFileError) -> (users: [User], ids: FreeIDs) {
        let bytes = try contents()
        guard bytes.count <= Self.maximumSize else { throw .tooLarge }
        return try UsersFileReader.users(in: bytes)
    }

    /// Reads the users, has them changed, and writes them, while nobody else can. Writes nothing if
    /// nothing was changed.
    /// - Parameters:
    ///   - isMade: whether a file that is not there is one without users.
    ///   - waits: for somebody else's change; if not, and there is one, throws `inUse`.
    /// - Returns: what `change` returns.
    package func update<Answer>(
        making isMade: Bool = false, waits: Bool = true, _ change: (inout [User]) -> Answer
    ) throws(UsersFileError) -> Answer {
        try update(making: isMade, waits: waits) { users, _ in change(&users) }
    }

    /// The same for whoever adds somebody, and has to know which ids are left.
    package func update<Answer>(
        making isMade: Bool = false, waits: Bool = true,
        _ change: (_ users: inout [User], _ ids: FreeIDs) -> Answer
    ) throws(UsersFileError) -> Answer {
        let path = try target()
        let lock = try locked(path, waits)
        defer { withExtendedLifetime(lock) {} }
        let before: (users: [User], ids: FreeIDs)
        do throws(UsersFileError) {
            before = try readAll()
        } catch {
            guard isMade, error == .cannotRead(.isNotThere) else { throw error }
            before = ([], Self.noIDs)
        }
        var users = before.users
        let answer = change(&users, before.ids)
        guard users != before.users else { return answer }
        guard users.count <= Self.maximumUsers else { throw .tooManyUsers }
        let nextID = max(
            before.ids.written ?? 1, Self.nextID(after: before.users), Self.nextID(after: users))
        let bytes = Self.text(of: users, nextID)
        guard bytes.count <= Self.maximumSize else { throw .tooLarge }
        do throws(Errno) {
            try write(bytes, to: path)
        } catch {
            throw error == .notTheOwner ? .wouldChangeOwner : .cannotWrite(error)
        }
        return answer
    }

    /// Replaces a user's hash, if it is still the one that was verified: in the meantime somebody may
    /// have set another password. Does not wait; there is another login.
    /// - Returns: whether it is replaced.
    package func replace(
        _ old: PasswordHash, by new: PasswordHash, of id: UserID
    ) throws(UsersFileError) -> Bool {
        try update(waits: false) { users in
            guard let index = users.firstIndex(where: { $0.id == id }),
                users[index].password == old
            else { return false }
            users[index].password = new
            return true
        }
    }

    /// Whether a change would probably succeed: asks for permissions alone, and changes nothing. For
    /// whoever would do work for a change that cannot be written; what counts is the change itself.
    package var isWritable: Bool {
        guard let path = try? target(), let file = try? FileStatus(path: path),
            file.isRegularFile
        else { return false }
        // What is written must belong to the same user.
        guard geteuid() == 0 || file.owner == geteuid() else { return false }
        let lock = Self.companion(of: path, "lock")
        if let status = try? fileSystem.status(of: lock) {
            guard status.isRegularFile, Self.permits(lock, R_OK | W_OK) else { return false }
        }
        return Self.permits(Self.folder(of: path), W_OK | X_OK)
    }

    private static func permits(_ path: String, _ mode: CInt) -> Bool {
        // By the effective user, as open(2) judges.
        // Sound: C gets the path with a zero behind it, for the time of the call.
        unsafe faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0
    }

    // MARK: Reading

    /// One byte more than may be is enough to know.
    private func contents() throws(UsersFileError) -> [UInt8] {
        do throws(Errno) {
            // Whoever put a pipe there must not keep us waiting.
            let file = try fileSystem.open(path, O_RDONLY | O_NONBLOCK, mode: 0)
            if try file.status().isRegularFile { return try file.read(upTo: Self.maximumSize) }
        } catch {
            throw .cannotRead(error)
        }
        throw .notRegular
    }

    // MARK: Writing

    /// The file itself where the path is a symbolic link, which a new file must not take the place of.
    private func target() throws(UsersFileError) -> String {
        guard let status = try? fileSystem.status(of: path), status.mode & S_IFMT == S_IFLNK else {
            return path
        }
        // Sound: realpath allocates what it returns, and it ends with a zero.
        guard let resolved = unsafe realpath(path, nil) else { throw .cannotRead(Errno(errno)) }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// Taken back by the kernel when the descriptor is closed, or its owner dies.
    private func locked(
        _ path: String, _ waits: Bool
    ) throws(UsersFileError) -> FileDescriptor {
        do throws(Errno) {
            let lock = try fileSystem.open(
                Self.companion(of: path, "lock"), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK,
                mode: 0o600)
            // What the superuser makes, the file's owner must be able to open.
            if let status = try? FileStatus(path: path) {
                try? lock.change(owner: status.owner, group: status.group)
            }
            try lock.lock(waits: waits)
            return lock
        } catch {
            throw error == .again ? .inUse : .cannotWrite(error)
        }
    }

    /// Under the lock. The new file is whole and on the disk before it gets the name.
    private func write(_ bytes: [UInt8], to path: String) throws(Errno) {
        let temporary = Self.companion(of: path, "new")
        // What a killed process has left; nobody else is here.
        do throws(Errno) {
            try fileSystem.remove(temporary)
        } catch {
            guard error == .isNotThere else { throw error }
        }
        do throws(Errno) {
            let file = try fileSystem.open(
                temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try keepOwner(of: path, file)
            var rest = bytes.span
            while !rest.isEmpty {
                let count = try fileSystem.write(rest, to: file)
                guard count > 0 else { throw Errno.noSpace }
                rest = rest.extracting(count..<rest.count)
            }
            try fileSystem.synchronize(file)
            try fileSystem.rename(temporary, to: path)
        } catch {
            try? fileSystem.remove(temporary)
            throw error
        }
        try fileSystem.synchronizeFolder(Self.folder(of: path))
    }

    /// A change by the superuser must not lock the server out, which reads the file as another user.
    private func keepOwner(
        of path: String, _ file: borrowing FileDescriptor
    ) throws(Errno) {
        guard let old = try? FileStatus(path: path) else { return }
        let new = try file.status()
        if new.owner != old.owner || new.group != old.group {
            try file.change(owner: old.owner, group: old.group)
        }
    }

    /// One user a line, for people who compare.
    private static func text(of users: [User], _ nextID: Int64) -> [UInt8] {
        var bytes = Array("{\"next_id\":\(nextID),\"users\":[".utf8)
        for (index, user) in users.enumerated() {
            var writer = JSONWriter()
            writer.beginObject()
            writer.name("id")
            writer.integer(user.id.number)
            writer.name("username")
            writer.string(user.username)
            writer.name("name")
            writer.string(user.name)
            writer.name("password")
            if let password = user.password { writer.string(password.text) } else { writer.null() }
            writer.name("disabled")
            writer.boolean(user.isDisabled)
            writer.endObject()
            bytes += Array((index == 0 ? "\n" : ",\n").utf8)
            bytes += writer.bytes
        }
        return bytes + Array("\n]}\n".utf8)
    }

    /// Of a file that is not there.
    package static let noIDs = FreeIDs(next: UserID(1), written: nil)

    static func nextID(after users: [User]) -> Int64 {
        (users.lazy.map(\.id.number).max() ?? 0) + 1
    }

    /// `.users.json.lock` beside `users.json`.
    static func companion(of path: String, _ suffix: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return (parts.dropLast().map(String.init) + [".\(parts.last ?? "").\(suffix)"])
            .joined(separator: "/")
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
