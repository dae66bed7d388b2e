import Glibc
import JSON
import JWT
import POSIX

/// The users, in a file:
///
///     {"next_id":2,"users":[
///     {"id":1,"username":"alice","name":"Alice","password":"$pbkdf2-sha256$…","disabled":false}]}
///
/// Parsing is strict: anything unknown is a problem, and all problems are reported at once. The
/// file is replaced as a whole: readers see either the old or the new users, even after a power
/// failure. Changes are serialized across processes, and none is lost.
package struct UsersFile: Sendable {
    package static let maximumSize = 16 << 20
    package static let maximumUsers = 100_000

    package let path: String
    private let fileSystem: any FileSystem

    package init(_ path: String, fileSystem: any FileSystem = SystemFileSystem()) {
        self.path = path
        self.fileSystem = fileSystem
    }

    /// The users, in the order of the file; see `readAll`.
    package func read() throws(UsersFileError) -> [User] { try readAll().users }

    /// Which ids a new user can get. Tokens identify users by id, and tokens of a removed user may
    /// still be valid, so ids are not reused.
    package struct IDAllocation: Equatable, Sendable {
        /// Greater than every id in the file; nil if there is none left.
        package let next: UserID?
        /// `next_id` as written in the file; nil if it is absent.
        let written: Int64?

        /// Whether the id may have belonged to a removed user. False if the file has no `next_id`,
        /// because nothing is known then.
        package func mayHaveBeenUsed(_ id: UserID) -> Bool {
            written.map { id.rawValue < $0 } ?? false
        }
    }

    /// The users in the order of the file, and the ids that are free.
    ///
    /// A symbolic link is followed if no other account can change it: containers mount secrets
    /// through such links.
    /// - Throws: `UsersFileError` if the file cannot be read, can be changed by another account, or
    ///   is not a valid users file.
    package func readAll() throws(UsersFileError) -> (users: [User], ids: IDAllocation) {
        let place = try Location(path, fileSystem) { .cannotRead($0) }
        do throws(UsersFileError) {
            return try read(place)
        } catch {
            guard error == .isLink else { throw error }
        }
        let file: TrustedFile
        do throws(TrustedFile.Failure) {
            file = try TrustedFile(reading: path, upTo: Self.maximumSize)
        } catch {
            switch error {
            case .failed(let error): throw .cannotRead(error)
            case .notRegular: throw .notRegular
            case .tooLarge: throw .tooLarge
            }
        }
        return try users(in: file.bytes, file.faults)
    }

    /// Reads the users, calls `change`, and writes the result, all under the lock. Writes nothing
    /// if `change` has changed nothing.
    /// - Parameters:
    ///   - isMade: whether a missing file counts as one without users, and is created.
    ///   - waits: whether to wait for a change by another process; if false, throws `inUse`
    ///     instead.
    /// - Returns: the result of `change`.
    /// - Throws: `UsersFileError` as `readAll`, or if the file cannot be written.
    package func update<Answer>(
        making isMade: Bool = false, waits: Bool = true, _ change: (inout [User]) -> Answer
    ) throws(UsersFileError) -> Answer {
        try update(making: isMade, waits: waits) { users, _ in change(&users) }
    }

    /// Like `update(making:waits:_:)`, for a change that adds users and needs to know which ids are
    /// free.
    package func update<Answer>(
        making isMade: Bool = false, waits: Bool = true,
        _ change: (_ users: inout [User], _ ids: IDAllocation) -> Answer
    ) throws(UsersFileError) -> Answer {
        let place = try Location(path, fileSystem) { isMade ? .cannotWrite($0) : .cannotRead($0) }
        let lock = try place.locked(waits)
        defer { withExtendedLifetime(lock) {} }
        let before: (users: [User], ids: IDAllocation)
        do throws(UsersFileError) {
            before = try read(place)
        } catch {
            guard isMade, error == .cannotRead(.noSuchFileOrDirectory) else { throw error }
            guard place.folder.faults.isEmpty else { throw .untrusted(place.folder.faults) }
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
            try place.write(bytes)
        } catch {
            throw error == .notPermitted ? .wouldChangeOwner : .cannotWrite(error)
        }
        return answer
    }

    /// Replaces a user's hash if it is still the one that was verified: the password may have been
    /// changed meanwhile. Does not wait for the lock; the next login will try again.
    /// - Returns: whether the hash was replaced.
    /// - Throws: `inUse` if another process holds the lock; otherwise as `update`.
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

    /// Whether a change would probably succeed. Checks permissions only and changes nothing, so
    /// that a caller can avoid expensive work for a change that cannot be written. Only the change
    /// itself is conclusive.
    package var isWritable: Bool {
        guard let (folder, name) = try? ServiceFolder.containing(path),
            let file = try? folder.status(of: name), file.isRegularFile
        else { return false }
        // The new file would belong to this account.
        guard file.owner == geteuid() else { return false }
        let lock = Location.companion(of: name, "lock")
        if let status = try? folder.status(of: lock) {
            guard status.isRegularFile, folder.permits(lock, R_OK | W_OK) else { return false }
        }
        return folder.permits(".", W_OK | X_OK)
    }

    // MARK: Reading

    private func read(
        _ place: borrowing Location
    ) throws(UsersFileError) -> (users: [User], ids: IDAllocation) {
        let (bytes, status) = try place.contents(upTo: Self.maximumSize)
        return try users(in: bytes, place.folder.faults + PathFault.ofFile(status, path))
    }

    private func users(
        in bytes: [UInt8], _ faults: [PathFault]
    ) throws(UsersFileError) -> (users: [User], ids: IDAllocation) {
        guard faults.isEmpty else { throw .untrusted(faults) }
        // `contents` reads one byte more than the limit.
        guard bytes.count <= Self.maximumSize else { throw .tooLarge }
        return try UsersFileReader.users(in: bytes)
    }

    /// One user per line, for readable diffs.
    private static func text(of users: [User], _ nextID: Int64) -> [UInt8] {
        var bytes = Array("{\"next_id\":\(nextID),\"users\":[".utf8)
        for (index, user) in users.enumerated() {
            var writer = JSONWriter()
            writer.beginObject()
            writer.name("id")
            writer.integer(user.id.rawValue)
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

    /// The ids for a file that does not exist.
    package static let noIDs = IDAllocation(next: UserID(1), written: nil)

    static func nextID(after users: [User]) -> Int64 {
        (users.lazy.map(\.id.rawValue).max() ?? 0) + 1
    }
}
