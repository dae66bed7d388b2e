import Foundation
import Logging
import POSIX

/// The files that a configuration names. They must be different files: a log is renamed and
/// removed, a journal and the users file are replaced, and another file with that name would be
/// lost.
struct PathConflicts {
    struct Place {
        /// The name of the setting.
        let name: String
        let path: String
        /// Secrets are only read, so that two settings may name the same file.
        let isSecret: Bool
        /// Whether the server replaces the file or appends to it.
        let isWritten: Bool
    }

    private var places: [Place] = []

    /// All files in the order in which they were added.
    var all: [Place] { places }

    /// - Parameter name: the name of the setting, or another name for messages.
    mutating func add(
        _ name: String, _ path: String, isSecret: Bool = false, isWritten: Bool = true
    ) {
        places.append(Place(name: name, path: path, isSecret: isSecret, isWritten: isWritten))
    }

    /// - Parameters:
    ///   - logs: the paths of the logs, each of which has been added.
    ///   - journal: the path of the journal of revocations; nil if there is none.
    func problems(logs: [String], journal: String?) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        for (index, place) in places.enumerated() {
            for other in places[..<index]
            where !(place.isSecret && other.isSecret) && Self.isSame(place.path, other.path) {
                problems.append(
                    ConfigurationProblem(
                        path: place.name,
                        message: "is the same file as \(other.name); write another path"))
            }
            for log in logs where place.path != log {
                guard let file = Self.ownFile(of: log, place.path) else { continue }
                problems.append(
                    ConfigurationProblem(
                        path: place.name,
                        message: "is \(file), which is reserved for the log; write another path"))
            }
            if let journal, place.path != journal,
                ["lock", "new", "state"].contains(where: {
                    Self.isSame(LogFileNames.companion(of: journal, $0), place.path)
                })
            {
                problems.append(
                    ConfigurationProblem(
                        path: place.name,
                        message: "is \(place.path), which is reserved for state.revocations; "
                            + "write another path"))
            }
        }
        return problems
    }

    /// Whether the path can be that of a log: there is a regular file or none. A log's other files
    /// are in the same folder, and no file may be created next to a device.
    static func canBeLog(_ path: String) -> Bool {
        (try? FileStatus(path: path))?.isRegularFile ?? true
    }

    /// The path, if it has the name of an archive of the log or of a hidden file beside it; else
    /// nil.
    private static func ownFile(of log: String, _ path: String) -> String? {
        let isCompanion = ["lock", "state", "key"].contains {
            isSame(LogFileNames.companion(of: log, $0), path)
        }
        let base = LogFileNames.base(of: path)
        let isArchive =
            (LogFileNames.number(of: base, log, highest: .max) != nil
                || LogFileNames.foreignNumber(of: base, log) != nil)
            && isSame(LogFileNames.folder(of: path), LogFileNames.folder(of: log))
        return isCompanion || isArchive ? path : nil
    }

    /// Whether two paths name the same file, or would name it once it exists.
    private static func isSame(_ a: String, _ b: String) -> Bool {
        if let one = try? FileStatus(path: a), let other = try? FileStatus(path: b) {
            return one.isSameFile(as: other)
        }
        return plain(a) == plain(b)
    }

    private static func plain(_ path: String) -> String {
        let folder = URL(fileURLWithPath: LogFileNames.folder(of: path), isDirectory: true)
            .standardizedFileURL.resolvingSymlinksInPath().path
        return folder + "/" + LogFileNames.base(of: path)
    }
}
