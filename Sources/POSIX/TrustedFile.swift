import Glibc

/// The content of a file that the service relies on, such as its configuration or a key, and the
/// faults of the path to it. Symbolic links are followed, because a container's secrets are mounted
/// through them.
package struct TrustedFile: Sendable {
    package let bytes: [UInt8]
    package let status: FileStatus
    /// Empty if no account but root and this one could have replaced the content.
    package let faults: [PathFault]

    package enum Failure: Error, Equatable {
        case failed(Errno)
        /// A pipe, a device or a socket, which is not opened.
        case notRegular
        case tooLarge
    }

    /// Reads the complete file.
    /// - Parameters:
    ///   - limit: the maximum size, in bytes.
    ///   - account: may own the file and the elements of the path besides root.
    package init(
        reading path: String, upTo limit: Int, account: uid_t = geteuid()
    ) throws(Failure) {
        if let kept = ServiceFolder.preopenedFile(path) {
            self = kept
            return
        }
        do throws(Errno) {
            let (folder, name, expected) = try ServiceFolder.resolving(path, account: account)
            if expected.isRegularFile {
                let file = try folder.open(name, O_RDONLY)
                status = try file.status()
                // Another file may have replaced it after the check.
                guard status.isSameFile(as: expected) else { throw Errno.wouldBlock }
                bytes = try file.read(upTo: limit)
                faults = folder.faults + PathFault.ofFile(status, path, account: account)
                if bytes.count <= limit { return }
            } else {
                (bytes, status, faults) = ([], expected, [])
            }
        } catch {
            throw .failed(error)
        }
        throw status.isRegularFile ? .tooLarge : .notRegular
    }

    /// From now on, this path has this content in this process.
    package func registerPreopened(as path: String) { ServiceFolder.keep(self, as: path) }

    /// Whether this process has preopened a file under this path.
    package static func isPreopened(_ path: String) -> Bool {
        ServiceFolder.preopenedFile(path) != nil
    }
}
