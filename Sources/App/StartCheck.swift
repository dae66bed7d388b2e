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
        addresses(configuration)
            + log(configuration.log.path, "log.file.path", isSealed: configuration.sealsLog)
            + (configuration.log.audit.map {
                log($0.path, "log.audit.path", isSealed: configuration.sealsLog)
            } ?? [])
            + journal(configuration)
            + socket(
                configuration.admin.socket,
                made: [
                    configuration.log.path, configuration.log.audit?.path,
                    configuration.revocationJournal,
                ].compactMap(\.self)
                    .map(LogName.folder))
    }

    private static func addresses(_ configuration: Configuration) -> [Problem] {
        var problems: [Problem] = []
        let server = configuration.server.address
        do throws(Errno) {
            try server.checkHost()
        } catch {
            problems.append(
                Problem(
                    path: "server.host", sentence: "cannot be listened on: \(error.words)"))
        }
        if let metrics = configuration.admin.metrics, metrics.port != 0,
            metrics.port == server.port, metrics.host == server.host || server.covers(metrics)
        {
            problems.append(
                Problem(
                    path: "admin.metrics",
                    sentence: "port \(metrics.port) is that of server.port; two listeners need two")
            )
        }
        return problems
    }

    /// - Parameter setting: the name of the setting that the path is.
    private static func log(_ path: String, _ setting: String, isSealed: Bool) -> [Problem] {
        func problem(_ sentence: String) -> [Problem] {
            [Problem(path: setting, sentence: sentence)]
        }
        func companions() -> [Problem] { Self.companions(path, setting, isSealed: isSealed) }
        let fileSystem = SystemFileSystem()
        guard let status = try? fileSystem.status(of: path) else {
            // Made with all that is above it.
            let place = lowest(path, steps: path.utf8.count)
            guard place != path, isFolder(place), isWritable(place) else {
                return problem("\(place) cannot be written")
            }
            return LogName.folder(of: path) == place ? companions() : []
        }
        if status.isSymbolicLink {
            return problem("\(path) is a symbolic link; write the path that it leads to")
        }
        guard status.isRegularFile else {
            return problem(
                "\(path) is \(status.kind), and a log is a regular file; write another path")
        }
        guard isWritable(path) else { return problem("\(path) cannot be written") }
        do throws(Errno) {
            guard try LogBeginning.isLog(path) else {
                return problem(
                    "\(path) is a file that is no log; move it away, or write another path")
            }
        } catch {
            return problem("\(path) cannot be read: \(error.words)")
        }
        return companions()
    }

    /// The lock and the state beside the log.
    private static func companions(
        _ path: String, _ setting: String, isSealed: Bool
    ) -> [Problem] {
        let kinds = isSealed ? ["lock", "state"] : ["lock"]
        return kinds.compactMap { kind in
            let place = LogName.companion(of: path, kind)
            var sentence: String?
            if let status = try? SystemFileSystem().status(of: place) {
                if !status.isRegularFile {
                    sentence = "\(place) is no regular file; the log keeps its \(kind) there"
                } else if !isWritable(place) {
                    sentence = "\(place) cannot be written"
                }
            } else if !isWritable(LogName.folder(of: path)) {
                sentence = "\(LogName.folder(of: path)) cannot be written"
            }
            return sentence.map { Problem(path: setting, sentence: $0) }
        }
    }

    private static func journal(_ configuration: Configuration) -> [Problem] {
        guard let path = configuration.revocationJournal else { return [] }
        do throws(RevocationsError) {
            _ = try Revocations(
                reading: path, at: WallClock.system.now(), guarded: configuration.journalGuard())
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
        let isMade = made.contains { $0 == folder || $0.hasPrefix(folder + "/") }
        if isMade, !FileManager.default.fileExists(atPath: folder) { return [] }
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
    /// so many steps.
    private static func lowest(_ path: String, steps: Int) -> String {
        var place = path
        for _ in 0..<steps where !FileManager.default.fileExists(atPath: place) {
            place = LogName.folder(of: place)
        }
        return place
    }

    private static func isWritable(_ path: String) -> Bool {
        FileManager.default.isWritableFile(atPath: path)
    }

    private static func isFolder(_ path: String) -> Bool {
        (try? FileStatus(path: path))?.isFolder ?? false
    }
}
