import Foundation
import Logging
import POSIX

/// The files that a configuration names, which must be different ones: a log is renamed and removed,
/// a journal and the users are replaced, and whatever was there is gone.
struct PathConflicts {
    struct Place {
        /// Of the setting.
        let name: String
        let path: String
        /// Only read: two of them may be one.
        let isSecret: Bool
        /// Replaced or appended to by the server, and not only read.
        let isWritten: Bool
    }

    private var places: [Place] = []

    /// In the order in which they were added.
    var all: [Place] { places }

    /// - Parameter name: of the setting.
    mutating func add(
        _ name: String, _ path: String, isSecret: Bool = false, isWritten: Bool = true
    ) {
        places.append(Place(name: name, path: path, isSecret: isSecret, isWritten: isWritten))
    }

    /// - Parameters:
    ///   - logs: the paths of the logs, each of which is one of the places.
    ///   - journal: that of the revocations, if there is one.
    func problems(logs: [String], journal: String?) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        for (index, place) in places.enumerated() {
            for other in places[..<index]
            where !(place.isSecret && other.isSecret) && Self.isSame(place.path, other.path) {
                problems.append(
                    ConfigurationProblem(
                        path: place.name, message: "is the same file as \(other.name)"))
            }
            for log in logs where place.path != log {
                guard let file = Self.ownFile(of: log, place.path) else { continue }
                problems.append(
                    ConfigurationProblem(
                        path: place.name, message: "is \(file), a name that the log needs"))
            }
            if let journal, place.path != journal,
                ["lock", "new", "state"].contains(where: {
                    Self.isSame(LogFileNames.companion(of: journal, $0), place.path)
                })
            {
                problems.append(
                    ConfigurationProblem(
                        path: place.name,
                        message: "is \(place.path), a name that state.revocations needs"))
            }
        }
        return problems
    }

    /// Whether a log can be here: what is not a regular file is none, and nothing is kept beside
    /// it.
    static func canBeLog(_ path: String) -> Bool {
        (try? FileStatus(path: path))?.isRegularFile ?? true
    }

    /// The path, if it is a full file of the log, or one that the log keeps beside it.
    private static func ownFile(of log: String, _ path: String) -> String? {
        let isCompanion = ["lock", "state", "key"].contains {
            isSame(LogFileNames.companion(of: log, $0), path)
        }
        let base = LogFileNames.base(of: path)
        let isFull =
            (LogFileNames.number(of: base, log, highest: .max) != nil
                || LogFileNames.foreignNumber(of: base, log) != nil)
            && isSame(LogFileNames.folder(of: path), LogFileNames.folder(of: log))
        return isCompanion || isFull ? path : nil
    }

    /// Whether both lead to one file, or would if it were made.
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
