import Auth
import Foundation
import Logging
import POSIX
import Revocation
import Server
import Time

/// What would keep a server with a configuration from starting, as far as one can tell without making
/// anything, or disturbing a server that runs with it.
enum StartCheck {
    /// All of it at once; but for the users, which are read by whoever counts them.
    static func problems(_ configuration: Configuration) -> [Problem] {
        log(configuration.log.path)
            + journal(configuration.revocationJournal)
            + socket(
                configuration.admin.socket,
                made: [configuration.log.path, configuration.revocationJournal].compactMap(\.self)
                    .map(LogName.folder))
    }

    private static func log(_ path: String) -> [Problem] {
        let place = lowest(path)
        return isWritable(place, path)
            ? [] : [Problem(path: "log.file.path", sentence: "\(place) cannot be written")]
    }

    private static func journal(_ path: String?) -> [Problem] {
        guard let path else { return [] }
        do throws(RevocationsError) {
            _ = try Revocations(reading: path, at: WallClock.system.now())
        } catch {
            return [
                Problem(
                    path: "state.revocations", sentence: "the journal \(path) \(error.sentence)")
            ]
        }
        // It is replaced by a new file at each start, so that its folder counts, too; that is made with
        // all above it where it is not there.
        let place = lowest(LogName.folder(of: path), steps: path.utf8.count)
        guard isFolder(place), FileManager.default.isWritableFile(atPath: place) else {
            return [Problem(path: "state.revocations", sentence: "\(place) cannot be written")]
        }
        return []
    }

    /// - Parameter made: folders that the start makes before it comes to the socket.
    private static func socket(_ path: String?, made: [String]) -> [Problem] {
        guard let path else { return [] }
        guard path.utf8.count <= SocketAddress.longestPath else {
            return [
                Problem(
                    path: "admin.socket",
                    sentence:
                        "the path of a socket has at most \(SocketAddress.longestPath) bytes, "
                        + "and this one has \(path.utf8.count)")
            ]
        }
        if let status = try? SystemFileSystem().status(of: path), !status.isSocket {
            return [
                Problem(
                    path: "admin.socket",
                    sentence: "something that is not a socket is at \(path)")
            ]
        }
        let folder = LogName.folder(of: path)
        if made.contains(folder), !FileManager.default.fileExists(atPath: folder) { return [] }
        guard isFolder(folder), FileManager.default.isWritableFile(atPath: folder) else {
            return [
                Problem(
                    path: "admin.socket",
                    sentence: "\(folder) is no folder that can be written to")
            ]
        }
        return []
    }

    // MARK: Places

    /// The path, or its folder, or what is above that: the first of them that is there, or the last after
    /// so many steps. The log and its folder are made where they are not there.
    private static func lowest(_ path: String, steps: Int = 2) -> String {
        var place = path
        for _ in 0..<steps where !FileManager.default.fileExists(atPath: place) {
            place = LogName.folder(of: place)
        }
        return place
    }

    private static func isWritable(_ place: String, _ path: String) -> Bool {
        FileManager.default.fileExists(atPath: place) && isFolder(place) == (place != path)
            && FileManager.default.isWritableFile(atPath: place)
    }

    private static func isFolder(_ path: String) -> Bool {
        (try? FileStatus(path: path))?.isFolder ?? false
    }
}
