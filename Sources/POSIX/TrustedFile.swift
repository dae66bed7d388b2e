import Glibc

/// The content of a file that the service relies on, such as its configuration or a key, and what is
/// wrong with the way to it. Symbolic links are followed: a container's secrets are reached through them.
package struct TrustedFile: Sendable {
    package let bytes: [UInt8]
    package let status: FileStatus
    /// Empty if no account but root and this one could have put another content there.
    package let faults: [PathFault]

    package enum Failure: Error, Equatable {
        case failed(Errno)
        /// A pipe, a device or a socket, which is not opened.
        case notRegular
        case tooLarge
    }

    /// Reads the whole file.
    /// - Parameters:
    ///   - limit: bytes that it may have.
    ///   - account: which may own it, and what is on the way, beside root.
    package init(
        reading path: String, upTo limit: Int, account: uid_t = geteuid()
    ) throws(Failure) {
        if let kept = ServiceFolder.keptFile(path) {
            self = kept
            return
        }
        do throws(Errno) {
            let (folder, name, there) = try ServiceFolder.following(path, account: account)
            if there.isRegularFile {
                let file = try folder.open(name, O_RDONLY)
                status = try file.status()
                // Whatever has taken its place meanwhile.
                guard status.isSameFile(as: there) else { throw Errno.wouldBlock }
                bytes = try file.read(upTo: limit)
                faults = folder.faults + PathFault.ofFile(status, path, account: account)
                if bytes.count <= limit { return }
            } else {
                (bytes, status, faults) = ([], there, [])
            }
        } catch {
            throw .failed(error)
        }
        throw status.isRegularFile ? .tooLarge : .notRegular
    }

    /// From now on the path has this content for this process.
    package func keep(as path: String) { ServiceFolder.keep(self, as: path) }

    /// Whether this process has kept a file's content under this path.
    package static func isKept(_ path: String) -> Bool { ServiceFolder.keptFile(path) != nil }
}
