import Foundation
import TestSupport

extension TemporaryFolder {
    /// The file's text, which must be UTF-8.
    func text(_ name: String) throws -> String {
        try String(contentsOf: URL(filePath: path(name)), encoding: .utf8)
    }

    func move(_ name: String, to newName: String) throws {
        try FileManager.default.moveItem(atPath: path(name), toPath: path(newName))
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: path(name))
    }

    /// The log's files, the oldest first.
    var logFiles: [String] {
        let names = names.filter { $0.hasPrefix("app.log") }
        return names.filter { $0 != "app.log" } + names.filter { $0 == "app.log" }
    }

    /// All lines of the log, the oldest first; nil if a file ends inside a line.
    func logLines() throws -> [String]? {
        var lines: [String] = []
        for name in logFiles {
            guard let more = completeLines(try text(name)) else { return nil }
            lines += more
        }
        return lines
    }
}
