import Glibc
import POSIX

extension UsersFile {
    /// The directory of the users file, opened once, and the name of the file in it. All access
    /// goes through this descriptor, so the directory cannot be exchanged between two steps.
    struct Location {
        let folder: ServiceFolder
        private let files: any FileSystem
        private let name: String

        /// - Parameter failure: makes the error if the directory cannot be opened.
        init(
            _ path: String, _ fileSystem: any FileSystem, failure: (Errno) -> UsersFileError
        ) throws(UsersFileError) {
            do throws(Errno) {
                (files, folder) = try fileSystem.entering(ServiceFolder.folder(of: path))
            } catch {
                throw failure(error)
            }
            name = ServiceFolder.name(in: path)
            guard !name.isEmpty else { throw .notRegular }
        }

        /// The name of an auxiliary file: `.users.json.lock` beside `users.json`.
        static func companion(of name: String, _ kind: String) -> String { ".\(name).\(kind)" }

        // MARK: Reading

        /// A write in place takes some milliseconds: wait at most 100 times 5 ms for it.
        private static let readingAttempts = 100
        private static let pause: useconds_t = 5000

        /// The content; one byte more than `limit` if the file is larger.
        /// - Throws: `isLink` for a symbolic link, which is not followed.
        func contents(
            upTo limit: Int
        ) throws(UsersFileError) -> (bytes: [UInt8], status: FileStatus) {
            do throws(Errno) {
                let current = try files.status(of: name)
                if current.isRegularFile {
                    let file = try files.open(name, O_RDONLY, mode: 0)
                    // A file that is being written in place is incomplete.
                    for _ in 0..<Self.readingAttempts where !file.tryLockShared() {
                        usleep(Self.pause)
                    }
                    let status = try file.status()
                    if status.isRegularFile { return (try file.read(upTo: limit), status) }
                } else if current.isSymbolicLink {
                    throw Errno.tooManySymbolicLinkLevels
                }
            } catch {
                throw error == .tooManySymbolicLinkLevels ? .isLink : .cannotRead(error)
            }
            throw .notRegular
        }

        // MARK: Writing

        /// The kernel releases the lock when the descriptor is closed or its process ends.
        func locked(_ waits: Bool) throws(UsersFileError) -> FileDescriptor {
            do throws(Errno) {
                let lock = try files.open(
                    Self.companion(of: name, "lock"), O_RDWR | O_CREAT, mode: 0o600)
                try lock.lock(waits: waits)
                return lock
            } catch {
                switch error {
                case .wouldBlock: throw .inUse
                // If only the file is mounted, its directory may not be writable for this account.
                case .permissionDenied, .readOnlyFileSystem: throw .folderNotWritable(error)
                default: throw .cannotWrite(error)
                }
            }
        }

        /// Replaces the file; the caller holds the lock. The new file is complete and on disk
        /// before it gets the name.
        func write(_ bytes: [UInt8]) throws(Errno) {
            let temporary = Self.companion(of: name, "new")
            let old = try? folder.status(of: name)
            // The new file would belong to this account.
            if let old, old.owner != geteuid() { throw .notPermitted }
            // Left behind by a process that was killed.
            try removeIfPresent(temporary)
            do throws(Errno) {
                let file = try files.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
                if let old { try keepReaders(of: old, file) }
                try write(bytes, to: file)
                do throws(Errno) {
                    try files.rename(temporary, to: name)
                } catch {
                    // A file that is a mount point cannot be replaced (rename(2)).
                    guard error == .resourceBusy || error == .improperLink, let old else {
                        throw error
                    }
                    try writeInPlace(bytes, old)
                    try removeIfPresent(temporary)
                }
            } catch {
                try? files.remove(temporary)
                throw error
            }
            try files.synchronizeFolder(".")
        }

        private func write(
            _ bytes: [UInt8], to file: borrowing FileDescriptor
        ) throws(Errno) {
            var rest = bytes.span
            while !rest.isEmpty {
                let count = try files.write(rest, to: file)
                guard count > 0 else { throw Errno.noSpace }
                rest = rest.extracting(count..<rest.count)
            }
            try files.synchronize(file)
        }

        private func removeIfPresent(_ name: String) throws(Errno) {
            do throws(Errno) {
                try files.remove(name)
            } catch {
                guard error == .noSuchFileOrDirectory else { throw error }
            }
        }

        /// Lets a group that can read the old file read the new one: the server's group if root
        /// owns the file. If it is the group of this process, the new file is readable by its owner
        /// only, like any new one.
        private func keepReaders(
            of old: FileStatus, _ file: borrowing FileDescriptor
        ) throws(Errno) {
            guard old.mode & S_IRGRP != 0, old.group != getegid() else { return }
            if try file.status().group != old.group { try file.change(group: old.group) }
            try file.change(mode: 0o640)
        }

        /// Overwrites the existing file. First saves the old content to disk in a second file, and
        /// restores it if the new content cannot be written. The new content is padded with
        /// newlines to the old length, so the file is valid JSON before and after the truncation.
        private func writeInPlace(_ bytes: [UInt8], _ old: FileStatus) throws(Errno) {
            let file = try files.open(name, O_RDWR, mode: 0)
            guard try file.status().isSameFile(as: old) else { throw .wouldBlock }
            try file.lock(waits: true)
            let before = try file.read(upTo: UsersFile.maximumSize)
            let kept = Self.companion(of: name, "old")
            try removeIfPresent(kept)
            let copy = try files.open(kept, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            try write(before, to: copy)
            try files.synchronizeFolder(".")
            let blanks = [UInt8](
                repeating: UInt8(ascii: "\n"), count: max(0, before.count - bytes.count))
            do throws(Errno) {
                try file.write((bytes + blanks).span, at: 0)
                try files.synchronize(file)
            } catch {
                try? file.write(before.span, at: 0)
                try? files.truncate(file, to: before.count)
                throw error
            }
            try files.truncate(file, to: bytes.count)
            try files.synchronize(file)
        }
    }
}
